"""Which model an id belongs to: the mapping's, one known already, or a new one."""

from __future__ import annotations

from collections.abc import Sequence

from catalog.diff import modality_of
from catalog.mapping import ModelFacts, bundled
from catalog.models import Model
from catalog.naming import MAX_NAME, Naming, model_slug, parse
from catalog.sources.listed import ListedModel

LONG_CONTEXT_TOKENS = 200_000


def models_for(entries: Sequence[ListedModel]) -> list[Model]:
    """The model of each entry, in order; those that do not exist yet are created."""
    if not entries:
        return []
    wanted = [facts_of(entry) for entry in entries]
    slugs = {facts.slug for facts in wanted}
    existing = set(Model.objects.filter(slug__in=slugs).values_list("slug", flat=True))
    new = {facts.slug: facts for facts in wanted if facts.slug not in existing}
    rows = [_row(facts) for facts in new.values()]
    # Another process may have created the same model a moment ago.
    Model.objects.bulk_create(rows, ignore_conflicts=True)
    readable = Model.objects.filter(slug__in=slugs).only("slug", "name", "modality")
    found = {model.slug: model for model in readable}
    return [found[facts.slug] for facts in wanted]


def facts_of(entry: ListedModel) -> ModelFacts:
    """The mapping's facts, found by the listed name or by the id; else what both tell."""
    naming = parse(entry.external_id)
    listed_name = "".join(one for one in entry.name if one.isprintable())
    names = [name for name in (listed_name, naming.name) if name]
    for name in names:
        if facts := bundled().by_slug.get(model_slug(name)):
            return facts
    return _parsed(entry, naming, names[0][:MAX_NAME])


def _parsed(entry: ListedModel, naming: Naming, name: str) -> ModelFacts:
    by_name = naming if naming.family and naming.params_b else parse(name)
    specialties = {*naming.specialties, *entry.specialties}
    if (entry.context_tokens or 0) >= LONG_CONTEXT_TOKENS:
        specialties.add("long-context")
    return ModelFacts(
        name=name,
        family=naming.family or by_name.family,
        modality=modality_of(entry),
        params_b=naming.params_b or by_name.params_b,
        active_params_b=naming.active_params_b or by_name.active_params_b,
        specialties=sorted(specialties),
        offers=(),
    )


def _row(facts: ModelFacts) -> Model:
    return Model(
        slug=facts.slug,
        name=facts.name,
        family=facts.family,
        params_b=facts.params_b,
        active_params_b=facts.active_params_b,
        modality=facts.modality,
        specialties=facts.specialties,
    )
