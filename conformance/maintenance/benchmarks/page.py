def write_page(*a):
    return ""
