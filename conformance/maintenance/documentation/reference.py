"""`python -m conformance.maintenance.documentation.reference FOLDER`: write the API reference.

One page holds all public names. Fields are shown in full at each class, also those that come from a
base class, and a public name or a field without its description is an error.
"""

from __future__ import annotations

import re
import sys
import warnings
from inspect import Signature
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_args, get_origin

import pdoc.doc
import pdoc.render
from pydantic import BaseModel

import langchain_baseten

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic.fields import FieldInfo

__all__ = ["find_missing", "main", "read_module", "render"]


def main(argv: list[str]) -> int:
    """Write the reference into a folder; return 1 if a description is missing."""
    folder = Path(argv[0])
    module = read_module()
    page = render(module)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "index.html").write_text(page, encoding="utf-8")
    missing = find_missing(module, page)
    for name in missing:
        print(f"not in the reference, or without a description: {name}")
    print(f"{folder / 'index.html'}: {len(langchain_baseten.__all__)} public names")
    return int(bool(missing))


def read_module() -> pdoc.doc.Module:
    """Return the package as pdoc sees it, with each field at its class."""
    for name in langchain_baseten.__all__:
        getattr(langchain_baseten, name)  # pdoc finds what the package has imported
    module = pdoc.doc.Module(langchain_baseten)
    with warnings.catch_warnings():
        # Fields that are declared twice, by TYPE_CHECKING, are not found in the class's source.
        warnings.filterwarnings("ignore", message="Cannot determine where .* is taken from")
        for shown, model in _classes(module):
            shown.docstring = _list_arguments(shown.docstring)
            for name, field in model.model_fields.items():
                _show_field(shown.members[name], shown, field)
    return module


def _classes(module: pdoc.doc.Module) -> Iterator[tuple[pdoc.doc.Class, type[BaseModel]]]:
    for member in module.members.values():
        if isinstance(member, pdoc.doc.Class) and issubclass(member.obj, BaseModel):
            yield member, member.obj


def _show_field(member: pdoc.doc.Doc[Any], shown: pdoc.doc.Class, field: FieldInfo) -> None:
    """Place a field at its class, with the type that users write and the names that they may."""
    member.taken_from = (shown.modulename, f"{shown.qualname}.{member.name}")
    if field.alias:
        member.docstring += f"\n\nConstructor argument: `{field.alias}`, or `{member.name}`."
    if isinstance(member, pdoc.doc.Variable):
        if get_origin(member.annotation) is Annotated:
            member.annotation = get_args(member.annotation)[0]
        if field.is_required():
            member.default_value = Signature.empty


def _list_arguments(text: str) -> str:
    """Make lists of the arguments in the sections that pdoc does not know."""
    section = re.compile(r"(?m)^(Key init args.*:)\n((?: {4}.*\n|\n)+)")
    return section.sub(lambda found: f"{found[1]}\n\n{_make_list(found[2])}", text)


def _make_list(lines: str) -> str:
    return re.sub(r"(?m)^ {4}(?:(\w+): )?", lambda at: f"- `{at[1]}`: " if at[1] else "", lines)


def render(module: pdoc.doc.Module) -> str:
    """Return the reference as one HTML page."""
    pdoc.render.configure(docformat="google", search=False, show_source=False)
    return pdoc.render.html_module(module, {module.modulename: module})


def find_missing(module: pdoc.doc.Module, page: str) -> list[str]:
    """Return the public names and fields that are not on the page, or without a description.

    Args:
        module: The package as pdoc sees it.
        page: The rendered page.
    """
    documented = {name: module.members[name] for name in langchain_baseten.__all__}
    documented |= {
        f"{shown.qualname}.{name}": shown.members[name]
        for shown, model in _classes(module)
        for name in model.model_fields
    }
    del documented["__version__"]
    return [
        name
        for name, member in documented.items()
        if f'id="{name}"' not in page or not member.docstring.strip()
    ]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
