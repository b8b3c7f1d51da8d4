use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use crate::spec::CniError;
use crate::wire::{Client, ClientError};

/// Waits between attempts to reach an agent that is not there, as during its restart.
const WAITS: [Duration; 3] = [Duration::from_millis(100), Duration::from_millis(400), Duration::from_secs(1)];

/// Asks the node agent, within `timeout` for each attempt. Every question of ours may be asked twice; it is when there is no agent, or it
/// ends before it has answered.
pub(super) fn ask<T>(
    socket: &Path,
    timeout: Duration,
    question: impl Fn(&Client) -> Result<T, ClientError>,
) -> Result<T, CniError> {
    let client = Client::new(socket, timeout);
    for wait in WAITS {
        match question(&client) {
            Err(error @ (ClientError::Connect { .. } | ClientError::Talk { .. })) => {
                log::warn!("{}, next attempt in {} ms", CniError::of(0, &error), wait.as_millis());
                sleep(wait);
            }
            answered => return answered.map_err(|error| told(&error)),
        }
    }
    question(&client).map_err(|error| told(&error))
}

/// What the runtime is told of it.
pub(super) fn told(error: &ClientError) -> CniError {
    let advice = match error {
        ClientError::Refused { .. } => return CniError::of(CniError::AGENT_REFUSED, error),
        ClientError::Unreadable { .. } => {
            return CniError::of(CniError::DECODE, error).with_details("is something else listening there?");
        }
        ClientError::Connect { .. } | ClientError::Talk { .. } => {
            "see whether the agent's pod of this node runs, and whether ipam.ipam_unix_socket_path is its socket; the \
             kubelet tries again"
        }
        ClientError::TimedOut { .. } => {
            "the log of the agent's pod of this node says what it waited for; the kubelet tries again"
        }
    };
    let mut told = CniError::of(CniError::TRY_AGAIN, error);
    told.msg = format!("{}; {advice}", told.msg);
    told
}
