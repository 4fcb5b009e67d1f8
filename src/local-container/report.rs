//! The way back from a container that could not be started: a socket on standard input, which the program never sees.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;

use crate::{Error, Result, START_FAILED, refused};

/// The end of the process that is being started.
pub(crate) struct Report(File);

impl Report {
    /// Takes standard input; programs are given an empty one.
    pub(crate) fn take() -> Result<Self> {
        let copy = std::io::stdin().as_fd().try_clone_to_owned();
        let copy = copy.map_err(refused("keep the socket to the process that started this one"))?;
        // The other end learns that all went well from the last copy's end, so that there is one only.
        let nothing = File::open("/dev/null").map_err(refused("open /dev/null"))?;
        nix::unistd::dup2_stdin(nothing).map_err(refused("let go of standard input"))?;
        Ok(Self(File::from(copy)))
    }

    /// One line from the process that starts this one.
    pub(crate) fn line(&mut self) -> Result<String> {
        let mut line = Vec::new();
        let mut byte = [0];
        while self.0.read(&mut byte).map_err(refused("read what is to be done"))? == 1 && byte != *b"\n" {
            line.extend(byte);
        }
        Ok(String::from_utf8_lossy(&line).into_owned())
    }

    /// Whether the process at the other end is there no more.
    pub(crate) fn is_deserted(&self) -> bool {
        use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
        let mut one = [PollFd::new(self.0.as_fd(), PollFlags::empty())];
        let answered = poll(&mut one, PollTimeout::ZERO).is_ok_and(|count| count > 0);
        answered && one[0].revents().is_some_and(|seen| seen.intersects(PollFlags::POLLHUP | PollFlags::POLLERR))
    }

    /// Says that the program runs.
    pub(crate) fn started(self) {
        drop(self);
    }

    /// Says what went wrong, and gives the exit code.
    pub(crate) fn end(mut self, error: &Error) -> u8 {
        // Where nobody listens (a person tries it by hand) the exit code has to be enough.
        let _ = self.0.write_all(error.to_string().as_bytes());
        START_FAILED
    }
}

/// The other end: what is to be done goes there, and what went wrong comes back.
pub(crate) struct Listener(UnixStream);

impl Listener {
    /// A pair: the end to keep, and standard input for the process to be started.
    pub(crate) fn pair() -> Result<(Self, OwnedFd)> {
        let (ours, theirs) = UnixStream::pair().map_err(refused("make a socket"))?;
        Ok((Self(ours), theirs.into()))
    }

    pub(crate) fn send(&mut self, line: &str) -> Result<()> {
        self.0.write_all(format!("{line}\n").as_bytes()).map_err(refused("say what is to be done"))
    }

    /// Waits until the program runs, or it is said why it does not.
    pub(crate) fn hear(mut self) -> Result<()> {
        let mut text = String::new();
        self.0.read_to_string(&mut text).map_err(refused("hear from the container's first process"))?;
        if text.is_empty() { Ok(()) } else { Err(Error::Reported(text)) }
    }
}
