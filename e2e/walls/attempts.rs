//! What the intruder tries.

use std::path::Path;

/// What an attempt is made on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum On {
    /// Files, sockets and processes that the test has put there for it.
    Victims,
    /// The machine, the product or the stack: never tried where nothing holds it back.
    Machine,
}

/// One thing to try.
#[derive(Debug, Clone, Copy)]
pub(super) struct Attempt {
    pub(super) what: &'static str,
    on: On,
    /// A line of the shell that succeeds if it comes off, or with `#!python` in front a text of Python's.
    ///
    /// `OUT` is the test's folder, with `victims` and `app` (what the intruder's image holds) in it; `STACK` the
    /// stack's; `OTHER` another pod's; `SLUICE` the program; `HOST` a process of the machine; `MINE` a folder that the
    /// intruder may write.
    script: &'static str,
}

const PYTHON: &str = "#!python ";

impl Attempt {
    const fn victims(what: &'static str, script: &'static str) -> Self {
        Self { what, on: On::Victims, script }
    }

    const fn machine(what: &'static str, script: &'static str) -> Self {
        Self { what, on: On::Machine, script }
    }

    pub(super) fn is_harmless_without_walls(&self) -> bool {
        self.on == On::Victims
    }

    /// Whether the machine has what it takes.
    pub(super) fn can_be_tried(&self) -> bool {
        !self.script.starts_with(PYTHON) || Path::new("/usr/bin/python3").exists()
    }

    /// A line that says `@NUMBER came off`, if so.
    pub(super) fn line(&self, number: usize) -> String {
        let action = match self.script.strip_prefix(PYTHON) {
            Some(text) => format!("python3 -c 'import os, socket, fcntl; e = os.environ; {text}'"),
            None => self.script.to_owned(),
        };
        format!("if ({action}) >/dev/null 2>&1; then echo \"@{number} came off\"; fi\n")
    }
}

/// All of them.
pub(super) const ALL: &[Attempt] = &[
    Attempt::machine("a file in /etc", "echo x > /etc/sluice-was-here"),
    Attempt::machine("a file in /usr", "echo x > /usr/sluice-was-here"),
    Attempt::machine("a program of the machine", ": >> /usr/bin/env"),
    Attempt::machine("a file in /lib", "echo x > /lib/sluice-was-here"),
    Attempt::machine("a file in /var/lib", "echo x > /var/lib/sluice-was-here"),
    Attempt::machine("a file in /opt", "echo x > /opt/sluice-was-here"),
    Attempt::machine("a file in the root folder", "echo x > /sluice-was-here"),
    Attempt::machine("a file in the home of whoever runs it", "echo x > $OUT/home/sluice-was-here"),
    Attempt::machine(
        "a key for whoever runs it",
        "mkdir -p $OUT/home/.ssh && echo x >> $OUT/home/.ssh/authorized_keys",
    ),
    Attempt::machine("/proc/sys", "echo 1 > /proc/sys/kernel/panic"),
    Attempt::machine("the kernel's trigger", "echo h > /proc/sysrq-trigger"),
    Attempt::machine("/sys", "echo 1 > /sys/devices/system/cpu/cpu0/online || echo x > /sys/devices/system/cpu/x"),
    Attempt::machine("a control group", "mkdir /sys/fs/cgroup/sluice-was-here"),
    Attempt::machine("the times of a device", "touch /dev/null"),
    Attempt::machine("the mode of a device", "chmod 600 /dev/null"),
    Attempt::machine("a device of its own", "mknod $MINE/disk b 7 0"),
    Attempt::machine("the stack's folder", "echo x > $STACK/sluice-was-here"),
    Attempt::machine("the stack's state", ": >> $STACK/state.json"),
    Attempt::machine("the times of the stack's state", "touch $STACK/state.json"),
    Attempt::machine("the mode of the stack's state", "chmod 666 $STACK/state.json"),
    Attempt::machine("another pod's folder", "echo x > $OTHER/sluice-was-here"),
    Attempt::machine("another pod's volume", "echo x > $OTHER/volumes/scratch/sluice-was-here"),
    Attempt::machine("the mode of another pod's volume", "chmod 777 $OTHER/volumes/scratch"),
    Attempt::machine("the times of another pod's file", "touch $OTHER/volumes/scratch/kept"),
    Attempt::machine("another pod's token", "cat $OTHER/volumes/kube-api-access*/token"),
    Attempt::machine("the product's program", ": >> $SLUICE"),
    Attempt::machine("the mode of the product's program", "chmod 777 $SLUICE"),
    Attempt::machine("the folder of the product's program", "echo x > ${SLUICE%/*}/sluice-was-here"),
    Attempt::machine("its token", "echo x > /var/run/secrets/kubernetes.io/serviceaccount/token"),
    Attempt::machine("a mount", "mount -t tmpfs none $MINE"),
    Attempt::machine("the end of a mount", "umount /proc"),
    Attempt::machine("a root of its own making", "unshare -rm sh -c 'mount --bind / /mnt && echo x > /mnt/etc/x'"),
    Attempt::machine("writing where it only reads", "unshare -rm mount -o remount,bind,rw /usr"),
    Attempt::machine("the namespaces of the first process", "nsenter -t 1 -m true"),
    Attempt::victims("reading credentials", "cat $OUT/home/.aws/credentials"),
    Attempt::victims("a new file", "echo x > $OUT/victims/new"),
    Attempt::victims("a new folder", "mkdir $OUT/victims/folder"),
    Attempt::victims("the end of a folder", "rmdir $OUT/victims/empty"),
    Attempt::victims("more in a file", "echo x >> $OUT/victims/append"),
    Attempt::victims("the size of a file", "truncate -s 0 $OUT/victims/truncate"),
    Attempt::victims("the end of a file", "rm $OUT/victims/remove"),
    Attempt::victims("the name of a file", "mv $OUT/victims/rename $OUT/victims/renamed"),
    Attempt::victims("a second name for a file", "ln $OUT/victims/link $OUT/victims/linked"),
    Attempt::victims("a file taken away", "mv $OUT/victims/take $MINE/taken"),
    Attempt::victims("a file given", "echo x > $MINE/gift && mv $MINE/gift $OUT/victims/gift"),
    Attempt::victims("a link that leads out", "ln -s $OUT/victims $MINE/out && echo x > $MINE/out/through"),
    Attempt::victims("the mode of a file", "chmod 777 $OUT/victims/mode"),
    Attempt::victims("the owner of a file", "chown $(id -u):$(id -g) $OUT/victims/owner"),
    Attempt::victims("the times of a file", "touch $OUT/victims/times"),
    Attempt::victims("old times of a file", "touch -d 2001-01-01 $OUT/victims/old"),
    Attempt::victims("a pipe", "mkfifo $OUT/victims/pipe"),
    Attempt::victims("the mode of its own image", "chmod 700 $OUT/app/mode"),
    Attempt::victims("the times of its own image", "touch -d 2001-01-01 $OUT/app/times"),
    Attempt::victims("a file in its own image", "echo x > $OUT/app/new"),
    Attempt::victims("the folder of a process", "ls /proc/$HOST/cwd/"),
    Attempt::victims("the root of a process", "echo x > /proc/$HOST/root$OUT/victims/root"),
    Attempt::victims("the variables of a process", "cat /proc/$HOST/environ | grep -q ."),
    Attempt::victims("a signal to a process", "kill -CONT $HOST"),
    Attempt::victims(
        "the mode of what it only reads",
        "#!python os.fchmod(os.open(e[\"OUT\"] + \"/app/read\", os.O_RDONLY), 0o700)",
    ),
    Attempt::victims(
        "the times of what it only reads",
        "#!python os.utime(os.open(e[\"OUT\"] + \"/app/read\", os.O_RDONLY), (1, 1))",
    ),
    Attempt::victims(
        "emptying what it only reads",
        "#!python os.open(e[\"OUT\"] + \"/app/empty\", os.O_RDONLY | os.O_TRUNC)",
    ),
    Attempt::victims(
        "flags of what it only reads",
        "#!python f = os.open(e[\"OUT\"] + \"/app/read\", os.O_RDONLY); fcntl.ioctl(f, 0x40086602, bytes([0x80, 0, 0, 0, 0, 0, 0, 0]))",
    ),
    Attempt::victims(
        "attributes of a file",
        "#!python os.setxattr(e[\"OUT\"] + \"/app/read\", \"user.sluice\", b\"x\")",
    ),
    Attempt::victims(
        "a socket without a path",
        "#!python socket.socket(socket.AF_UNIX).connect(\"\\0sluice\" + e[\"OUT\"])",
    ),
    Attempt::victims(
        "a socket in the file system",
        "#!python socket.socket(socket.AF_UNIX).connect(e[\"OUT\"] + \"/victims/socket\")",
    ),
    Attempt::victims(
        "a datagram from a pair",
        "#!python socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)[0].sendto(b\"x\", e[\"OUT\"] + \"/victims/datagrams\")",
    ),
];
