"""The roles of callers."""

from enum import StrEnum

ROLE_PATTERN = "^(read|submit|admin)$"


class Role(StrEnum):
    """What a caller may do; each may do what those before it may."""

    READ = "read"
    SUBMIT = "submit"  # and change what runs; tasks of modules that the operator and the key allow
    ADMIN = "admin"

    def includes(self, other: "Role") -> bool:
        """Whether who has this role may do what takes the other."""
        return list(Role).index(self) >= list(Role).index(other)
