use super::codec::{Attributes, Message, u32_at};

const RTAX_MTU: usize = 2;
const RTAX_ADVMSS: usize = 8;
/// Those below are numbers; what follows is the name of a congestion control (`RTAX_CC_ALGO`).
const COUNT: usize = 16;

/// What a route tells TCP and IP of the way: the longest packet, the largest segment, ... by their numbers
/// (`RTAX_*`, `include/uapi/linux/rtnetlink.h`); 0 is what the interface has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RouteMetrics([u32; COUNT]);

impl RouteMetrics {
    /// The longest packet, and the largest segment of TCP to announce, in bytes.
    #[must_use]
    pub fn of(mtu: Option<u32>, advmss: Option<u32>) -> Self {
        let mut metrics = [0; COUNT];
        metrics[RTAX_MTU] = mtu.unwrap_or_default();
        metrics[RTAX_ADVMSS] = advmss.unwrap_or_default();
        Self(metrics)
    }

    /// The attribute of this number, unless there is nothing to tell.
    pub(super) fn add_to(self, message: Message, number: u16) -> Message {
        if self == Self::default() {
            return message;
        }
        let told = (0..).zip(self.0).filter(|(_, value)| *value != 0);
        message.nested(number, |message| {
            told.fold(message, |message, (metric, value)| message.u32(metric, value))
        })
    }

    pub(super) fn read(payload: &[u8]) -> Self {
        let mut metrics = Self::default();
        for (number, value) in Attributes::new(payload) {
            if let (Some(metric), Some(value)) = (metrics.0.get_mut(usize::from(number)), u32_at(value, 0)) {
                *metric = value;
            }
        }
        metrics
    }
}
