"""Admits slots to the device, and gives it to one alone where that slot's run needs it."""

import threading


class Room:
    """The device that an agent's slots share.

    A trial that ran out of memory beside others is tried again alone. Its slot asks to be alone. The others end
    their current trials, leave with their processes (an idle one holds memory, too) and take no new runs until
    the slot opens the room again. A slot whose process found no memory to start beside others does the same, until its
    process has started. Slots poll: a waiting one must renew its lease and notice its drain meanwhile.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._present: set[object] = set()
        self._asking: list[object] = []  # slots that must be alone, the first of them next
        self._large: set[int] = set()  # runs that ran out of memory beside others

    def enter(self, slot: object, run_id: int | None = None) -> bool:
        """Enter, for a run or to wait for one; returns False if the room is not free for that yet."""
        with self._lock:
            if run_id in self._large and slot not in self._asking:
                self._asking.append(slot)
            if self._asking and (self._asking[0] != slot or self._present - {slot}):
                return False
            self._present.add(slot)
            return True

    def ask(self, slot: object) -> bool:
        """Leave, and be alone at the next entry; returns False if the slot was alone already."""
        with self._lock:
            self._present.discard(slot)
            if self._present and slot not in self._asking:
                self._asking.append(slot)
            return bool(self._present)

    def started(self, slot: object, run_id: int | None) -> None:
        """Let the others in again, unless the slot's run is one of those that must be alone: its process runs."""
        if run_id not in self._large:
            self.open(slot)

    def must_leave(self, slot: object) -> bool:
        """Return whether another slot is to be alone here, before `slot`."""
        with self._lock:
            return bool(self._asking) and self._asking[0] != slot

    def leave(self, slot: object) -> None:
        """Leave; the slot's process is gone."""
        with self._lock:
            self._present.discard(slot)

    def open(self, slot: object) -> None:
        """Let the others in again: the slot's run is over, or another worker has it."""
        with self._lock:
            if slot in self._asking:
                self._asking.remove(slot)

    def wants_solitude(self, run_id: int) -> bool:
        """Return whether the run, which ran out of memory, shared the room; then it is alone when it enters again.

        Call it before the run is handed back: another slot may take the run at once.
        """
        with self._lock:
            if len(self._present) < 2:
                return False
            self._large.add(run_id)
            return True
