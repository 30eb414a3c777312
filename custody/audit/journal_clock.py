"""Watch the clocks of a journal: the writer's, and the chain's as the entries saw it.

No verdict rests on either: order is the entries' position, and expiry is judged by the chain.
But somebody who sets a clock back to date an approval earlier, or shows the office an old chain
so that an expiry lies ahead again, leaves a step here that a person should explain. So these
are warnings on an intact journal, each at the entry where the step shows.
"""

from datetime import date

from custody.audit.journal import Entry, EntryTip
from custody.codes import Code
from custody.errors import Finding, InvalidInput, Severity

MAX_CLOCK_STEP_S = 600
"""Two machines of one office differ by less, where both ask a time server."""

MAX_REORGANIZATION = 6
"""Blocks that a tip may fall: so deep counts as confirmed, and a node that lags does not lag more for long."""

MAX_TIME_FALL_S = 7_200
"""Seconds that the median time past may fall with the tip: six blocks seldom take longer than two hours."""

_OBSERVED = "chain_observed"
_ADVICE = "Ask who set this clock or changed the node, and judge what happened by the entries' order alone."


class ClockWatch:
    """Compares each entry with the one before; keeps one time and one tip, however long the journal."""

    def __init__(self) -> None:
        self._time: str | None = None
        self._tip: EntryTip | None = None

    def judge(self, entry: Entry) -> list[Finding]:
        """Return what steps back at the next entry."""
        found = [*self._judge_time(entry)]
        for tip in (entry.tip, observed_tip(entry)):
            if tip is not None:
                found += self._judge_tip(tip, entry.seq)
                self._tip = tip
        return found

    def _judge_time(self, entry: Entry) -> list[Finding]:
        before, self._time = self._time, entry.time
        # The fixed form of times sorts as they do, so that only a step back is read as a time.
        if before is None or entry.time >= before or _seconds(before) - _seconds(entry.time) <= MAX_CLOCK_STEP_S:
            return []
        return [_stepped(entry.seq, f"the writer's clock says {entry.time} after {before}")]

    def _judge_tip(self, tip: EntryTip, seq: int) -> list[Finding]:
        before = self._tip
        if before is None:
            return []
        blocks, seconds = before.height - tip.height, before.median_time_past - tip.median_time_past
        if blocks > MAX_REORGANIZATION:
            return [_stepped(seq, f"the chain's tip falls from height {before.height} to {tip.height}")]
        # Along a chain the median time past never falls; but for a rare reorganization, only where the tip does.
        if seconds > (MAX_TIME_FALL_S if blocks > 0 else 0):
            fall = f"from {before.median_time_past} to {tip.median_time_past}"
            return [_stepped(seq, f"the chain's median time past falls {fall} at height {tip.height}")]
        return []


def observed_tip(entry: Entry) -> EntryTip | None:
    """Return the tip that an observation brings; whether its body is sound is for the fold to say."""
    if entry.kind != _OBSERVED or "tip" not in entry.body:
        return None
    try:
        return EntryTip.from_document(entry.body["tip"])
    except InvalidInput:
        return None


def _seconds(time: str) -> int:
    """Return an entry's time in seconds. Its form allows a 31st of February and a year 0: count on from there."""
    month = date(max(int(time[:4]), 1), int(time[5:7]), 1).toordinal()
    days, hours, minutes, seconds = (int(time[at : at + 2]) for at in (8, 11, 14, 17))
    return (((month + days) * 24 + hours) * 60 + minutes) * 60 + seconds


def _stepped(seq: int, message: str) -> Finding:
    return Finding(Code.CLOCK_STEPPED_BACK, Severity.WARN, f"entry:{seq}", message, _ADVICE)
