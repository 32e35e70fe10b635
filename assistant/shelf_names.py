"""Names of documents: whose one is, and which are free where others have theirs. What an archive holds lies below its name."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from posixpath import splitext

WEB = ("http://", "https://")


@dataclass(frozen=True)
class Others:
    """What is not one person's in a collection: documents, and names that others gave them or their archives."""

    sources: Collection[str] = ()
    owned: Collection[str] = ()

    def block(self, name: str) -> bool:
        """Whether a document or archive of this name could take the place of another's, or pass for part of it."""
        holds = any(lies_in(theirs, name) for names in (self.sources, self.owned) for theirs in names)
        return holds or any(lies_in(name, theirs) for theirs in self.owned)

    def free(self, name: str, fits: Callable[[str], bool] = lambda _name: True) -> str:
        """`name`, or with a number the first that is free and fits; below another's archive the archive's name gets it."""
        above = min((theirs for theirs in self.owned if lies_in(name, theirs)), key=len, default=name)
        return _numbered(above, name[len(above) :], lambda free: fits(free) and not self.block(free))


def free_name(name: str, sha256: str, taken: Mapping[str, str]) -> str:
    """`report.pdf`, or `report (2).pdf` where another content has that name. `taken` are contents by name."""
    return _numbered(name, "", lambda free: taken.get(free, sha256) == sha256)


def owner_of(owners: Mapping[str, str], source: str) -> str | None:
    """Of a document, or of the archive that it came in; each web page has its own."""
    if source.startswith(WEB):
        return owners.get(source)
    name = source
    while name not in owners:
        name, inside, _ = name.rpartition("/")
        if not inside:
            return None
    return owners[name]


def paths_of(sources: Iterable[str]) -> set[str]:
    """All names, and all that they lie below."""
    paths = set[str]()
    for source in sources:
        path = source
        while path and path not in paths:
            paths.add(path)
            path = "" if path.startswith(WEB) else path.rpartition("/")[0]
    return paths


def lies_in(name: str, archive: str) -> bool:
    """Whether it is this name or one below it; nothing lies in a web page."""
    return name == archive or (name.startswith(f"{archive}/") and not archive.startswith(WEB))


def _numbered(name: str, below: str, is_free: Callable[[str], bool]) -> str:
    root, suffix = splitext(name)
    free, number = name, 1
    while not is_free(free + below):
        number += 1
        free = f"{root} ({number}){suffix}"
    return free + below
