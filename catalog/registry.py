"""Reads the whole catalog folder into plain objects, and checks what single files cannot.

``load_catalog(settings.catalog_dir)`` is the one way in. It reads YAML and CSV only (about
0.1 s), imports nothing heavy, and is what DAG files, ingestion, quality and the front door share.
"""

from __future__ import annotations

import csv
from functools import lru_cache
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from catalog.errors import ContractError, UnknownName
from catalog.grading import Grading, load_grading
from catalog.model import (
    NAME,
    Code,
    CodeList,
    Department,
    Element,
    Feed,
    FieldSpec,
    Product,
    ResolvedField,
)
from catalog.signature import Signature, signature
from catalog.yamlfile import YamlFile, read_yaml, validate


class Catalog(BaseModel):
    """Everything declared, resolved.

    Attributes:
        feeds: feed id (``<department>__<object>``) to contract, sorted by id.
        files: feed or product id to the YAML file it was read from.
        grading: levels, categories, controls, and what raises or lowers a grade.
    """

    model_config = {"frozen": True, "arbitrary_types_allowed": True}

    root: Path
    departments: dict[str, Department]
    elements: dict[str, Element]
    code_lists: dict[str, CodeList]
    feeds: dict[str, Feed]
    products: dict[str, Product]
    files: dict[str, Path]
    grading: Grading

    def feed(self, feed_id: str) -> Feed:
        """The contract of ``feed_id``; UnknownName lists near names."""
        return _pick(self.feeds, feed_id, "feed", "lakehouse feed list")

    def product(self, product_id: str) -> Product:
        return _pick(self.products, product_id, "product", "lakehouse publish --list")

    def code_list(self, list_id: str) -> CodeList:
        return _pick(self.code_lists, list_id, "code list", "see catalog/codes/index.yaml")

    def fields(self, feed: Feed | str) -> tuple[ResolvedField, ...]:
        """The fields of a feed in contract order, each with its element applied."""
        feed = self.feed(feed) if isinstance(feed, str) else feed
        return tuple(self._resolve(feed, name, spec) for name, spec in feed.fields.items())

    def vaulted(self, feed: Feed | str) -> tuple[ResolvedField, ...]:
        """The direct identifiers of a feed: fields whose values stand in the vault instead of the feed table."""
        return tuple(f for f in self.fields(feed) if f.element.identifier == "direct")

    def table_key(self, feed: Feed | str) -> tuple[str, ...]:
        """The load key as it stands in the feed table: pseudonyms in place of direct identifiers."""
        feed = self.feed(feed) if isinstance(feed, str) else feed
        pseudonyms = {f.name: f.element.pseudonym for f in self.vaulted(feed)}
        return tuple(dict.fromkeys(pseudonyms.get(name) or name for name in feed.load.key))

    def grade(self, feed: Feed | str) -> int:
        """The grade of a feed table: the highest of its columns."""
        return max(f.grade for f in self.fields(feed))

    def retention(self, feed: Feed) -> tuple[int, str]:
        """Days that deliveries of a feed are kept, and the ground: its contract's, else that of its grade."""
        if feed.retention is not None:
            return feed.retention.keep_days, feed.retention.basis
        return self.grading.retention.keep_days[self.grade(feed)], self.grading.retention.source

    def _resolve(self, feed: Feed, name: str, spec: FieldSpec) -> ResolvedField:
        wanted = spec.element or name
        element = feed.elements.get(wanted) or self.elements[wanted]
        return ResolvedField(
            name=name,
            element=element,
            spec=spec,
            label=spec.label or element.label,
            type=spec.type or element.type,
            precision=element.precision,
            scale=element.scale,
            unit=element.unit,
            code_list=element.codes,
            grade=spec.grade or element.grade,
            mask=spec.mask or element.mask,
            required=spec.required,
            rules=(*element.rules, *spec.rules),
        )


def _pick(found: dict[str, Any], name: str, kind: str, where: str) -> Any:
    if name in found:
        return found[name]
    from difflib import get_close_matches

    near = get_close_matches(name, found, n=3)
    raise UnknownName(
        f"there is no {kind} {name!r}",
        hint=f"did you mean {', '.join(near)}?" if near else f"known ones: {where}",
    )


_read: dict[tuple[Path, Path], tuple[Signature, Catalog]] = {}
"""Folder as written and where it is, to its files and what was read from them."""


def load_catalog(root: Path) -> Catalog:
    """Read and check the catalog below ``root``; until one of its files changes, it is read once in a process.

    Raises:
        ContractError: with file, line, field and cure, for the first file that is wrong.
    """
    root = Path(root)
    place, files = (root, root.absolute()), signature(root) if root.is_dir() else ()
    known = _read.get(place)
    if known is None or known[0] != files:
        known = (files, _load(root))
        _read.clear()  # one catalog is all a process needs
        _read[place] = known
    own = {name: dict(v) for name, v in known[1] if isinstance(v, dict)}
    return known[1].model_copy(update=own)


def _load(root: Path) -> Catalog:
    departments = _read_named(root / "dictionary" / "departments.yaml", Department)
    elements = _read_named(root / "dictionary" / "elements.yaml", Element)
    code_lists = _read_code_lists(root / "codes")
    grading = load_grading(root / "grading")
    dictionary = root / "dictionary" / "elements.yaml"
    for name, element in elements.items():
        if element.codes and element.codes not in code_lists:
            raise read_yaml(dictionary).error(
                (name, "codes"), f"unknown code list {element.codes!r}", "add it to codes/"
            )
    _check_categories(grading, elements, dictionary, ())
    _check_places(grading, elements, root / "grading" / "aggregation.yaml")
    files: dict[str, Path] = {}
    feeds: dict[str, Feed] = {}
    for path in sorted((root / "feeds").glob("*/*.yaml")):
        feed = read_feed(path, departments=departments, elements=elements, code_lists=code_lists)
        _check_categories(grading, feed.elements, path, ("elements",))
        feeds[feed.id] = feed
        files[feed.id] = path
    _check_unique_codes(feeds, files)
    products: dict[str, Product] = {}
    for path in sorted((root / "products").glob("*.yaml")):
        source = read_yaml(path)
        data = {"id": path.stem, **(source.data or {})}
        product = validate(Product, source, data)
        for i, who in enumerate(product.recipients):
            if who not in departments and who != "public":
                raise source.error(("recipients", i), f"unknown department {who!r}", "see dictionary/departments.yaml")
        if product.owner not in departments:
            raise source.error(("owner",), f"unknown department {product.owner!r}", "see dictionary/departments.yaml")
        products[product.id] = product
        files[product.id] = path
    return Catalog(
        root=root,
        departments=departments,
        elements=elements,
        code_lists=code_lists,
        feeds=feeds,
        products=products,
        files=files,
        grading=grading,
    )


def read_feed(
    path: Path,
    *,
    departments: dict[str, Department],
    elements: dict[str, Element],
    code_lists: dict[str, CodeList],
) -> Feed:
    """One contract file; its id comes from its place: ``feeds/<department>/<object>.yaml``."""
    source = read_yaml(path)
    if not isinstance(source.data, dict):
        raise source.error((), "a contract is a mapping of keys", "start from `lakehouse feed new SAMPLE`")
    department, obj = path.parent.name, path.stem
    raw = dict(source.data)
    fields = raw.get("fields")
    if isinstance(fields, dict):
        raw["fields"] = {k: ({"from": v} if isinstance(v, str) else v or {}) for k, v in fields.items()}
    data = {"id": f"{department}__{obj}", "department": department, "object": obj, **raw}
    feed = validate(Feed, source, data)
    if feed.provider not in departments:
        raise source.error(("provider",), f"unknown department {feed.provider!r}", "see dictionary/departments.yaml")
    for name, element in feed.elements.items():
        if name in elements:
            raise source.error(("elements", name), f"element {name!r} is in the dictionary already", "remove it here")
        if element.codes and element.codes not in code_lists:
            raise source.error(("elements", name, "codes"), f"unknown code list {element.codes!r}", "add it to codes/")
    for key in ("key", "newest_by", "partition_by"):
        named = getattr(feed.load, key) or ()
        for name in (named,) if isinstance(named, str) else named:
            if name not in feed.fields:
                raise source.error(
                    ("load", key), f"load names field {name!r}, which is not a field", "use a field name"
                )
    for name, spec in feed.fields.items():
        _check_field(source, name, spec, {**elements, **feed.elements})
    _check_vaulted(source, feed, {**elements, **feed.elements})
    return feed


def _check_vaulted(source: YamlFile, feed: Feed, elements: dict[str, Element]) -> None:
    """Nothing but the vault needs the values of a direct identifier."""
    direct = {}
    for name, spec in feed.fields.items():
        element = elements[spec.element or name]
        if element.identifier == "direct":
            direct[name] = element
            if (spec.type or element.type) == "geometry":
                raise source.error(
                    ("fields", name), "a geometry cannot be a direct identifier", "set identifier: quasi"
                )
    for name in feed.load.key:
        if name in direct and not direct[name].pseudonym:
            raise source.error(
                ("load", "key"),
                f"key field {name!r} is a direct identifier without a pseudonym: its values stand in the vault only",
                f"write pseudonym: {name}_key in element {feed.fields[name].element or name!r}, or name another key",
            )
    for key, named in (("newest_by", (feed.load.newest_by,)), ("partition_by", feed.load.partition_by)):
        for field in named:
            if field in direct:
                raise source.error(
                    ("load", key),
                    f"{field!r} is a direct identifier: it is no column of the feed table",
                    "name another",
                )
    if direct and feed.format.unpivot and not feed.load.key:
        raise source.error(("load",), "an unpivoted feed with direct identifiers needs a key", "set load.key")


def _check_field(source: YamlFile, name: str, spec: FieldSpec, elements: dict[str, Element]) -> None:
    wanted = spec.element or name
    if wanted not in elements:
        from difflib import get_close_matches

        near = get_close_matches(wanted, elements, n=3)
        cure = f"did you mean {', '.join(near)}? " if near else ""
        raise source.error(
            ("fields", name),
            f"there is no data element {wanted!r}",
            f"{cure}Add it to dictionary/elements.yaml, or set element: to one that exists",
        )
    element = elements[wanted]
    if spec.grade is not None and spec.grade < element.grade and not spec.grade_reason:
        raise source.error(
            ("fields", name, "grade"),
            f"grade {spec.grade} is below grade {element.grade} of element {wanted!r}",
            "state why in grade_reason, or remove grade",
        )
    if (spec.type or element.type) == "geometry" and spec.x is None and spec.from_ != ("geometry",):
        raise source.error(("fields", name), "a geometry comes from x and y, or from: geometry", "add x and y")
    if spec.codes and not element.codes:
        raise source.error(("fields", name, "codes"), f"element {wanted!r} has no code list", "remove codes")


def _check_categories(grading: Grading, elements: dict[str, Element], path: Path, at: tuple[str, ...]) -> None:
    """Every category is a known one, and no element is graded below what its category asks for."""
    for name, element in elements.items():
        if not element.category:
            continue
        try:
            category = grading.category(element.category)
        except UnknownName as e:
            raise read_yaml(path).error((*at, name, "category"), e.message, e.hint) from e
        least = min(period.grade for period in category.periods)
        if element.grade < least:
            raise read_yaml(path).error(
                (*at, name, "grade"),
                f"grade {element.grade} is below grade {least} of category {category.label}",
                f"set grade: {least}, or another category",
            )


def _check_places(grading: Grading, elements: dict[str, Element], path: Path) -> None:
    for i, name in enumerate(grading.combinations.places):
        if name not in elements:
            raise read_yaml(path).error(("places", i), f"there is no data element {name!r}", "use an element's name")


def _read_named(path: Path, model: type[Any]) -> dict[str, Any]:
    source = read_yaml(path)
    out = {}
    for name, data in (source.data or {}).items():
        if not NAME.match(str(name)):
            raise source.error((name,), f"{name!r} is not a lower-case identifier", "rename it")
        out[name] = validate(model, source, data, (name,))
    return out


def _read_code_lists(folder: Path) -> dict[str, CodeList]:
    source = read_yaml(folder / "index.yaml")
    out = {}
    for name, data in (source.data or {}).items():
        path = folder / f"{name}.csv"
        if not path.exists():
            raise source.error((name,), f"codes/{name}.csv is missing", "add the file or remove the entry")
        out[name] = validate(CodeList, source, {"id": name, "values": _read_codes(path), **data}, (name,))
    extra = {p.stem for p in folder.glob("*.csv")} - set(out)
    if extra:
        raise source.error((), f"not in index.yaml: {', '.join(sorted(extra))}", "add title and source for each")
    return out


@lru_cache(maxsize=256)
def _read_codes_cached(path: Path, mtime_ns: int) -> tuple[Code, ...]:
    with path.open(encoding="utf-8", newline="") as f:
        rows = list(csv.DictReader(f))
    seen: set[tuple[str, str]] = set()
    for n, row in enumerate(rows, start=2):
        key = (row.get("code") or "", row.get("valid_from") or "")
        if not key[0] or key in seen or None in row:
            raise ContractError(
                "empty or repeated code, or a ragged row",
                hint="columns are code,name[,parent,valid_from,valid_to]; quote names with commas",
                file=str(path),
                line=n,
            )
        seen.add(key)
    return tuple(Code.model_validate(row) for row in rows)


def _read_codes(path: Path) -> tuple[Code, ...]:
    return _read_codes_cached(path, path.stat().st_mtime_ns)


def _check_unique_codes(feeds: dict[str, Feed], files: dict[str, Path]) -> None:
    seen: dict[str, str] = {}
    for feed in feeds.values():
        other = seen.setdefault(feed.catalogue.code, feed.id)
        if other != feed.id:
            raise read_yaml(files[feed.id]).error(
                ("catalogue", "code"),
                f"catalogue code {feed.catalogue.code} is already that of {other}",
                "give this resource the next free number",
            )
