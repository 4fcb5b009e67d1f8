"""Processes of this machine, by /proc: CPU, memory, and who listens on a port."""

import ipaddress
import os
import socket
import time
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")


class Process:
    """One process; its numbers are of itself alone, children excluded."""

    def __init__(self, pid, name):
        self.pid, self.name = pid, name
        self.begun = self._stat()[19]

    def _stat(self):
        # The name in parentheses may hold blanks.
        return Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()

    def is_alive(self):
        try:
            return self._stat()[19] == self.begun and self._stat()[0] != "Z"
        except OSError:
            return False

    def cpu(self):
        """Seconds of user and system time since its start."""
        fields = self._stat()
        if fields[19] != self.begun:
            raise ProcessLookupError(f"process {self.pid} ({self.name}) has ended")
        return (int(fields[11]) + int(fields[12])) / TICKS

    def memory(self):
        """Resident and anonymous bytes."""
        fields = dict(line.split(":", 1) for line in Path(f"/proc/{self.pid}/status").read_text().splitlines())
        return tuple(int(fields[name].split()[0]) * 1024 for name in ("VmRSS", "RssAnon"))

    def arguments(self):
        return Path(f"/proc/{self.pid}/cmdline").read_bytes().decode("utf-8", "replace").split("\0")


def addresses():
    """The IPv4 addresses of this machine, as far as its routing table knows them."""
    found, trie = set(), Path("/proc/net/fib_trie").read_text().splitlines()
    for line, after in zip(trie, trie[1:]):
        if "host LOCAL" in after:
            found.add(line.split()[-1])
    return found


def listener(host, port):
    """The process that listens there if it is one of this machine, else None."""
    try:
        address = socket.gethostbyname(host)
    except OSError:
        return None
    if not ipaddress.ip_address(address).is_loopback and address not in addresses():
        return None
    inodes = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and int(fields[1].rpartition(":")[2], 16) == port:
                inodes.add(f"socket:[{fields[9]}]")
    for process in processes():
        try:
            for entry in os.scandir(f"/proc/{process}/fd"):
                if os.readlink(entry.path) in inodes:
                    return Process(process, Path(f"/proc/{process}/comm").read_text().strip())
        except OSError:
            continue
    return None


def processes():
    return sorted(int(name) for name in os.listdir("/proc") if name.isdigit())


def of_program(program, *words):
    """The processes whose first argument ends with `/program` or is it, and whose further arguments begin with `words`."""
    found = []
    for pid in processes():
        try:
            arguments = Path(f"/proc/{pid}/cmdline").read_bytes().decode("utf-8", "replace").split("\0")
            if os.path.basename(arguments[0]) == program and arguments[1 : 1 + len(words)] == list(words):
                found.append(Process(pid, program))
        except OSError:
            continue
    return found


class Group:
    """Processes that are measured as one."""

    def __init__(self, processes):
        self.processes = list(processes)
        self.names = " + ".join(f"{one.name} ({one.pid})" for one in self.processes)

    def cpu(self):
        return sum(one.cpu() for one in self.processes)

    def memory(self):
        parts = [one.memory() for one in self.processes]
        return sum(part[0] for part in parts), sum(part[1] for part in parts)

    def is_alive(self):
        return all(one.is_alive() for one in self.processes)


def load():
    """The load average of the last minute, and the number of CPUs."""
    return os.getloadavg()[0], os.cpu_count()


def wait(seconds, group):
    """Lets time pass, which is what is measured; ends early if a measured process dies."""
    end = time.monotonic() + seconds
    while True:
        if not group.is_alive():
            raise ProcessLookupError(f"{group.names}: ended while it was measured")
        left = end - time.monotonic()
        if left <= 0:
            break
        time.sleep(min(left, 1))
