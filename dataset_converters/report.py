"""What a conversion did: for the console and, in the output folder, as JSON."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from datetime import datetime, timezone


@dataclass
class Report:
    """Counts of a conversion.

    Attributes:
        read, written: Rows by file: inter, user, item.
        malformed: Malformed rows that were skipped, by raw file; ``first_malformed`` quotes the
            first of each.
        skipped: Sound interactions that were left out, by reason.
        duplicates: Interactions that are exact copies of an earlier one, whether kept or not.
        repeated_ids: Feature rows left out because their id came before.
        without_features: Users and items without a feature row, and their interactions, all of
            which stay.
        distinct: Users and items in the interactions written.
        items_by_group: Old, new, and too few to take part, among all items read (those with a
            positive interaction, if only these are kept).
        positives: Positive interactions written.
        time_span: Time of the first and the last interaction written; whether that is since 1970.
    """

    converter: str
    layout: str
    input: list[str]
    output: str
    protocol: dict[str, int] = field(default_factory=dict)
    min_item_count: int = 0
    read: dict[str, int] = field(default_factory=dict)
    written: dict[str, int] = field(default_factory=dict)
    malformed: dict[str, int] = field(default_factory=dict)
    first_malformed: dict[str, str] = field(default_factory=dict)
    skipped: dict[str, int] = field(default_factory=dict)
    duplicates: int = 0
    repeated_ids: dict[str, int] = field(default_factory=dict)
    without_features: dict[str, dict[str, int]] = field(default_factory=dict)
    distinct: dict[str, int] = field(default_factory=dict)
    items_by_group: dict[str, int] | None = None
    positives: int = 0
    time_span: tuple[int, int, bool] = (0, 0, False)

    def as_json(self) -> str:
        """The report as JSON text."""
        first, last, epoch = self.time_span
        values = {"schema": 1} | asdict(self)
        values["time_span"] = {"first": first, "last": last, "epoch": epoch}
        return json.dumps(values, indent=1, ensure_ascii=False) + "\n"

    def as_text(self) -> str:
        """The report as lines for the console."""
        lines = [f"{self.converter} ({self.layout}) -> {self.output}"]
        for name, n_read in self.read.items():
            lines.append(f"  .{name:<6} {n_read:>12,} rows read {self.written[name]:>12,} written")
        for file, n in self.malformed.items():
            lines.append(f"  {n:,} malformed rows skipped in {file}")
            lines.append(f"    the first: {self.first_malformed[file]}")
        for reason, n in self.skipped.items():
            lines.append(f"  {n:,} interactions left out: {reason}")
        lines.append(f"  {self.duplicates:,} interactions are exact copies of an earlier one")
        for name, n in self.repeated_ids.items():
            if n:
                lines.append(f"  {n:,} .{name} rows left out: id came before")
        for name, counts in self.without_features.items():
            if counts["ids"]:
                lines.append(
                    f"  {counts['ids']:,} {name}s without features "
                    f"({counts['interactions']:,} interactions): unknown to the model"
                )
        n_inter = self.written["inter"]
        users, items = self.distinct["user"], self.distinct["item"]
        lines.append(
            f"  {n_inter:,} interactions of {users:,} users with {items:,} items, "
            f"{self.positives:,} positive ({self.positives / n_inter:.2%})"
        )
        if self.items_by_group is not None:
            n, k = self.protocol["old_item_threshold"], self.protocol["phase_size"]
            groups = self.items_by_group
            lines.append(
                f"  items read, at N = {n} and K = {k}: {groups['old']:,} old, "
                f"{groups['new']:,} new, {groups['too_few']:,} with too few interactions"
            )
        first, last, epoch = self.time_span
        lines.append(f"  time: {readable(first, epoch)} to {readable(last, epoch)}")
        return "\n".join(lines)


def readable(seconds: int, epoch: bool) -> str:
    """A time for people: UTC where it is since 1970, else as it stands.

    >>> readable(978300760, epoch=True)
    '2000-12-31 22:12:40'
    >>> readable(86400, epoch=False)
    'second 86400'
    """
    if not epoch:
        return f"second {seconds}"
    try:
        return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%d %H:%M:%S")
    except (OverflowError, ValueError, OSError):
        return f"second {seconds}"
