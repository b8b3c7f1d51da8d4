//! CHECK and STATUS.

use super::attach::{end_state, link_changes, settings, unanswered};
use super::config::Written;
use super::difference::{Change, difference};
use super::hands::Hands;
use super::plan;
use super::record::Records;
use crate::spec::{Call, CniError};
use crate::wire::Client;

/// STATUS is asked often, and has to be quick.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(2);

/// Whether everything is as an ADD with the configuration of its time would leave it.
pub(super) fn check(call: &Call, records: &Records) -> Result<(), CniError> {
    let previous = call.required_previous()?;
    let settings = match records.of(call) {
        Some(record) => record.before.settings,
        None => match settings(call)? {
            Some(settings) => settings,
            None => return Ok(()),
        },
    };
    let netns = call.netns.as_deref().unwrap_or_else(|| std::path::Path::new(""));
    let mut hands = Hands::open(netns, &call.ifname, &settings.first)?;
    let pod = hands.look_at_pod()?;
    let underlay = plan::is_underlay(&settings, &call.ifname, &pod)?;
    let wire = hands.wire(&settings, underlay, &pod)?;
    let (mut in_pod, mut on_host) = link_changes(&settings, &call.ifname, &pod, &wire);
    let end = end_state(&mut hands, &settings, &call.ifname, &previous, &pod, &wire)?;
    let host = hands.look_at_host(&wire.host, settings.host_table)?;
    in_pod.extend(difference(&pod, &end.pod));
    on_host.extend(difference(&host, &end.host));
    let told = |place: &str, changes: Vec<Change>| -> Vec<String> {
        changes.iter().map(|change| format!("{place}: {change}")).collect()
    };
    let wrong = [told("pod", in_pod), told("node", on_host)].concat();
    if wrong.is_empty() {
        return Ok(());
    }
    let (count, first) = (wrong.len(), &wrong[0]);
    let more = if count > 1 { format!(", and {} more", count - 1) } else { String::new() };
    let message = format!(
        "{} is not as it was attached: {first}{more}; what was set up by the coordinator must not be changed by others, \
         delete the pod to set it up anew",
        call.ifname
    );
    Err(CniError::new(CniError::CHANGED, message).with_details(wrong.join("; ")))
}

/// Whether the agent answers, without which an ADD fails.
pub(super) fn status(call: &Call) -> Result<(), CniError> {
    let written = Written::of(call)?;
    if written.is_off() {
        return Ok(());
    }
    let healthy = Client::new(written.socket(), PATIENCE).healthy();
    healthy.map_err(|error| CniError { code: CniError::UNAVAILABLE, ..unanswered(&error) })
}
