//! Status conditions, which change only when they have something new to say.

use k8s_openapi::jiff::Timestamp;

use crate::api::Condition;

/// A condition as it should be, but for its time.
pub(super) struct Wanted<'a> {
    pub(super) type_: &'static str,
    pub(super) status: bool,
    pub(super) reason: &'static str,
    pub(super) message: &'a str,
    /// `metadata.generation` of the object that it speaks of.
    pub(super) generation: Option<i64>,
}

/// All conditions with this one as it should be; none when it is.
pub(super) fn with(conditions: &[Condition], wanted: &Wanted<'_>, now: Timestamp) -> Option<Vec<Condition>> {
    let Wanted { type_, status, reason, message, generation } = *wanted;
    let status = if status { "True" } else { "False" };
    let old = conditions.iter().find(|condition| condition.type_ == type_);
    let same_status = old.filter(|old| old.status == status);
    let condition = Condition {
        type_: type_.to_owned(),
        status: status.to_owned(),
        observed_generation: generation,
        last_transition_time: same_status.map_or_else(|| second(now), |old| old.last_transition_time.clone()),
        reason: reason.to_owned(),
        message: message.to_owned(),
    };
    if old == Some(&condition) {
        return None;
    }
    let others = conditions.iter().filter(|condition| condition.type_ != type_).cloned();
    Some(others.chain([condition]).collect())
}

/// Conditions hold times in whole seconds.
fn second(now: Timestamp) -> String {
    Timestamp::from_second(now.as_second()).unwrap_or(now).to_string()
}
