use serde::Serialize;
use serde_json::Value;

/// The numbers in a pool's status.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Counts {
    /// Addresses that the pool has.
    #[serde(rename = "totalIPCount", skip_serializing_if = "Option::is_none")]
    pub(super) total: Option<i64>,
    /// Those that are recorded.
    #[serde(rename = "allocatedIPCount", skip_serializing_if = "Option::is_none")]
    pub(super) allocated: Option<i64>,
    /// Those that are not.
    #[serde(rename = "freeIPCount", skip_serializing_if = "Option::is_none")]
    pub(super) free: Option<i64>,
}

impl Counts {
    /// What they should be.
    pub(super) fn of(total: Option<i64>, in_use: usize) -> Self {
        let in_use = i64::try_from(in_use).unwrap_or(i64::MAX);
        // A pool that was shrunk can have more addresses in use than it has.
        let free = total.map(|total| total.saturating_sub(in_use).max(0));
        Self { total, allocated: Some(in_use), free }
    }

    /// What a status says.
    pub(super) fn told_by(status: &Value) -> Self {
        let [total, allocated, free] =
            ["totalIPCount", "allocatedIPCount", "freeIPCount"].map(|count| status[count].as_i64());
        Self { total, allocated, free }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_status_says_all_three_and_nothing_of_what_is_not_known() {
        let known = json!({ "totalIPCount": 6, "allocatedIPCount": 4, "freeIPCount": 2 });
        assert_eq!(json!(Counts::of(Some(6), 4)), known);
        assert_eq!(Counts::told_by(&known), Counts::of(Some(6), 4));
        assert_eq!(json!(Counts::of(None, 4)), json!({ "allocatedIPCount": 4 }));
        assert_eq!(Counts::told_by(&json!({})), Counts::default());
    }

    #[test]
    fn a_pool_that_was_shrunk_has_nothing_free() {
        assert_eq!(Counts::of(Some(6), 7).free, Some(0));
    }
}
