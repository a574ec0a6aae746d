"""Which slots have a process on the device, and which of them must have it to itself."""

import threading


class Room:
    """The place that an agent's slots share on one device.

    A trial that ran out of memory beside others is tried again alone. Its slot asks to be alone; the others end
    their present trials, step out with their processes (an idle one holds memory, too) and take no new runs until
    the slot opens the room again. Slots poll: who waits must keep its lease and see its drain meanwhile.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._present: set[object] = set()
        self._asking: list[object] = []  # slots that must be alone, the first of them next
        self._large: set[int] = set()  # runs that ran out of memory beside others

    def enter(self, slot: object, run_id: int | None = None) -> bool:
        """Step in for a run, or without one to wait for it; returns False if the room is not free for that yet."""
        with self._lock:
            if run_id in self._large and slot not in self._asking:
                self._asking.append(slot)
            if self._asking and (self._asking[0] != slot or self._present - {slot}):
                return False
            self._present.add(slot)
            return True

    def must_leave(self, slot: object) -> bool:
        """Whether somebody else is to be alone here, before `slot`."""
        with self._lock:
            return bool(self._asking) and self._asking[0] != slot

    def leave(self, slot: object) -> None:
        """Step out; the slot's process is gone."""
        with self._lock:
            self._present.discard(slot)

    def open(self, slot: object) -> None:
        """Let the others in again; the slot's run is over, or somebody else's."""
        with self._lock:
            if slot in self._asking:
                self._asking.remove(slot)

    def wants_solitude(self, run_id: int) -> bool:
        """Whether the run, for which memory ran out, shared the room; if so, it is alone when it enters again.

        To be called before the run is handed back: another slot may take it at once.
        """
        with self._lock:
            if len(self._present) < 2:
                return False
            self._large.add(run_id)
            return True
