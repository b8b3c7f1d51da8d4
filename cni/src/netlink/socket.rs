use std::fmt::Display;
use std::io;
use std::os::fd::AsRawFd as _;

use netlink_sys::{Socket as RawSocket, SocketAddr, protocols};
use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, recv};

use super::codec::{HEADER, Message, u16_at, u32_at};
use super::{Attributes, NetlinkError, Refusal};

const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const NLM_F_DUMP_INTR: u16 = 0x10;
const NLM_F_CAPPED: u16 = 0x100;
const NLM_F_ACK_TLVS: u16 = 0x200;
const NLMSGERR_ATTR_MSG: u16 = 1;
/// How often a list is read whose objects change meanwhile.
const ATTEMPTS: u32 = 8;
/// More than the kernel puts into one datagram: lists come in pieces of at most 32 KiB, and a port's answer with all of its
/// functions ends at 64 KiB. The kernel makes pieces larger once it has seen that there is room, and what of it is never
/// written to is no memory.
const LONGEST: usize = 128 << 10;

/// What a socket is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// `NETLINK_ROUTE`
    Route,
    /// `NETLINK_RDMA`
    Rdma,
    /// `NETLINK_NETFILTER`
    Netfilter,
}

impl Protocol {
    fn number(self) -> isize {
        match self {
            Self::Route => protocols::NETLINK_ROUTE,
            Self::Rdma => protocols::NETLINK_RDMA,
            Self::Netfilter => protocols::NETLINK_NETFILTER,
        }
    }

    pub(super) fn describe(self) -> &'static str {
        match self {
            Self::Route => "links and addresses",
            Self::Rdma => "RDMA devices",
            Self::Netfilter => "packet filters",
        }
    }
}

/// A connection to the kernel, for one request at a time. It belongs to the network namespace of the thread that opens
/// it.
#[derive(Debug)]
pub struct Socket {
    raw: RawSocket,
    sequence: u32,
    /// For what the kernel answers.
    buffer: Vec<u8>,
}

impl Socket {
    /// Opens a socket in the network namespace of this thread.
    pub fn open(protocol: Protocol) -> Result<Self, NetlinkError> {
        let open = || {
            let mut socket = RawSocket::new(protocol.number())?;
            socket.bind_auto()?;
            socket.connect(&SocketAddr::new(0, 0))?;
            // Kernels before 4.12 and 4.20 know neither; errors have no text then, and lists are filtered here.
            socket.set_ext_ack(true).ok();
            socket.set_netlink_get_strict_chk(true).ok();
            Ok(Self { raw: socket, sequence: 0, buffer: vec![0; LONGEST] })
        };
        open().map_err(|source| NetlinkError::Open { protocol: protocol.describe(), source })
    }

    /// Has something done.
    ///
    /// `doing` completes "failed to ...".
    pub fn act(&mut self, message: Message, doing: impl Display) -> Result<(), NetlinkError> {
        self.exchange(&[message], &doing, |_| {}).map(|_| ())
    }

    /// Has several things done, all or none, as netfilter can. Only the last message asks for an acknowledgement.
    pub(super) fn act_together(
        &mut self,
        messages: &[Message],
        doing: impl Display,
    ) -> Result<(), NetlinkError> {
        self.exchange(messages, &doing, |_| {}).map(|_| ())
    }

    /// Asks for what `read` makes of the answers' bodies. A list that changed while it was read is read anew.
    pub fn ask<T>(
        &mut self,
        message: &Message,
        doing: impl Display,
        read: impl Fn(&[u8]) -> Option<T>,
    ) -> Result<Vec<T>, NetlinkError> {
        self.ask_until(message, &doing, read, |answer, _, _| !answer.interrupted)
    }

    /// As [`Self::ask`], for a list in which the kernel remembers its place between two pieces by position, without telling
    /// of changes: what leaves the list meanwhile hides what follows it. Believed is a list of one piece, or one that comes
    /// twice. (Once the kernel has seen how much room there is, most lists are of one piece.)
    pub(crate) fn ask_by_position<T: PartialEq>(
        &mut self,
        message: &Message,
        doing: impl Display,
        read: impl Fn(&[u8]) -> Option<T>,
    ) -> Result<Vec<T>, NetlinkError> {
        self.ask_until(message, &doing, read, |answer, before, found| {
            answer.pieces <= 1 || before.is_some_and(|before| before == found)
        })
    }

    /// Asks again until what came can be believed, judged by how it came, what came the time before, and itself.
    fn ask_until<T>(
        &mut self,
        message: &Message,
        doing: &impl Display,
        read: impl Fn(&[u8]) -> Option<T>,
        believed: impl Fn(&Exchange, Option<&[T]>, &[T]) -> bool,
    ) -> Result<Vec<T>, NetlinkError> {
        let mut before: Option<Vec<T>> = None;
        for _ in 0..ATTEMPTS {
            let mut found = Vec::new();
            let answer =
                self.exchange(std::slice::from_ref(message), doing, |body| found.extend(read(body)))?;
            if believed(&answer, before.as_deref(), &found) {
                return Ok(found);
            }
            before = Some(found);
        }
        Err(NetlinkError::Interrupted { doing: doing.to_string(), attempts: ATTEMPTS })
    }

    /// Sends, and reads up to the end of the answer.
    fn exchange(
        &mut self,
        messages: &[Message],
        doing: &impl Display,
        mut each: impl FnMut(&[u8]),
    ) -> Result<Exchange, NetlinkError> {
        let failed = |source| NetlinkError::Socket { doing: doing.to_string(), source };
        self.sequence = self.sequence.wrapping_add(1);
        let sent: Vec<u8> =
            messages.iter().flat_map(|message| message.clone().finish(self.sequence)).collect();
        self.raw.send(&sent, 0).map_err(failed)?;
        let mut answer = Exchange { interrupted: false, pieces: 0 };
        loop {
            let length = self.receive().map_err(failed)?;
            let replies = || Replies(&self.buffer[..length]).filter(|reply| reply.sequence == self.sequence);
            answer.pieces += usize::from(replies().any(|reply| reply.end().is_none()));
            for reply in replies() {
                answer.interrupted |= reply.flags & NLM_F_DUMP_INTR != 0;
                match reply.end() {
                    None => each(reply.body),
                    Some(Ok(())) => return Ok(answer),
                    Some(Err(refusal)) => {
                        return Err(NetlinkError::Refused { doing: doing.to_string(), refusal });
                    }
                }
            }
        }
    }

    /// Length of the next datagram, which is in the buffer then.
    fn receive(&mut self) -> io::Result<usize> {
        loop {
            // Tells the length of what was sent, also where it is more than there is room for.
            match recv(self.raw.as_raw_fd(), &mut self.buffer, MsgFlags::MSG_TRUNC) {
                Ok(length) if length <= self.buffer.len() => return Ok(length),
                Ok(length) => {
                    return Err(io::Error::other(format!("the kernel sent {length} bytes at once")));
                }
                Err(Errno::EINTR) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
    }
}

/// How an answer came.
struct Exchange {
    /// The kernel told that the list changed between two pieces of it.
    interrupted: bool,
    /// Datagrams with objects in them.
    pieces: usize,
}

/// One message of the kernel.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Reply<'a> {
    pub(super) kind: u16,
    pub(super) flags: u16,
    pub(super) sequence: u32,
    pub(super) body: &'a [u8],
}

impl Reply<'_> {
    /// How it ends the answer, if it does.
    pub(super) fn end(&self) -> Option<Result<(), Refusal>> {
        let Self { kind, flags, body, .. } = self;
        if !matches!(*kind, NLMSG_ERROR | NLMSG_DONE) {
            return None;
        }
        // Both begin with a number: zero, or a negated error. Old kernels leave it out of `NLMSG_DONE`.
        let errno = u32_at(body, 0).unwrap_or_default().cast_signed().wrapping_neg();
        if errno <= 0 {
            return Some(Ok(()));
        }
        let echo = match *kind {
            NLMSG_DONE => 0,
            _ if flags & NLM_F_CAPPED != 0 => HEADER,
            _ => u32_at(body, 4).map_or(HEADER, |length| (length as usize).next_multiple_of(4)),
        };
        let told = flags & NLM_F_ACK_TLVS != 0;
        let mut attributes = Attributes::after(4 + echo, body).filter(|_| told);
        let reason = attributes.find(|(number, _)| *number == NLMSGERR_ATTR_MSG);
        Some(Err(Refusal { errno, reason: reason.map(|(_, text)| super::codec::text(text)) }))
    }
}

/// The messages of a datagram.
pub(super) struct Replies<'a>(pub(super) &'a [u8]);

impl<'a> Iterator for Replies<'a> {
    type Item = Reply<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        let length = u32_at(self.0, 0)? as usize;
        let reply = Reply {
            kind: u16_at(self.0, 4)?,
            flags: u16_at(self.0, 6)?,
            sequence: u32_at(self.0, 8)?,
            body: self.0.get(HEADER..length)?,
        };
        self.0 = self.0.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some(reply)
    }
}
