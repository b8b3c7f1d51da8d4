use super::{NLDEV, RdmaSocket};
use crate::netlink::{Attributes, Message, NetlinkError};

const SYS_GET: u16 = NLDEV | 6;
const SYS_SET: u16 = NLDEV | 7;
const SYS_ATTR_NETNS_MODE: u16 = 66;

/// Who sees the RDMA devices of the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Each device belongs to one network namespace.
    Exclusive,
    /// Every network namespace sees every device.
    Shared,
}

impl RdmaSocket {
    /// The mode of the machine. Kernels before 5.3 know none and share.
    pub fn mode(&mut self) -> Result<Mode, NetlinkError> {
        match self.0.ask(&get_mode(), "read the mode of the RDMA subsystem", read) {
            Ok(modes) => Ok(modes.first().copied().unwrap_or(Mode::Shared)),
            // Unknown requests get either.
            Err(error) if matches!(error.errno(), Some(libc::EOPNOTSUPP | libc::EINVAL)) => Ok(Mode::Shared),
            Err(error) => Err(error),
        }
    }

    /// Sets the mode of the machine. Refused with `EBUSY` while there is any network namespace but the first.
    pub fn set_mode(&mut self, mode: Mode) -> Result<(), NetlinkError> {
        self.0.act(set_mode(mode), format_args!("set the mode of the RDMA subsystem to {mode:?}"))
    }
}

pub(super) fn get_mode() -> Message {
    Message::act(SYS_GET, 0)
}

pub(super) fn set_mode(mode: Mode) -> Message {
    Message::act(SYS_SET, 0).u8(SYS_ATTR_NETNS_MODE, u8::from(mode == Mode::Shared))
}

pub(super) fn read(body: &[u8]) -> Option<Mode> {
    let (_, mode) = Attributes::new(body).find(|(number, _)| *number == SYS_ATTR_NETNS_MODE)?;
    Some(if mode == [0] { Mode::Exclusive } else { Mode::Shared })
}
