use std::error::Error;

use serde::{Deserialize, Serialize};

use super::Version;

/// What a plugin prints instead of a result; it then exits with status 1.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{msg}")]
pub struct CniError {
    /// Up to 99 by the specification, from 100 ours.
    pub code: u32,
    /// For people: object, field, value, reason, next step.
    pub msg: String,
    /// For those who look closer; may be empty.
    pub details: String,
}

/// As on standard output.
#[derive(Serialize)]
struct Printed<'a> {
    #[serde(rename = "cniVersion")]
    version: &'a str,
    code: u32,
    msg: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    details: &'a str,
}

impl CniError {
    /// The version of the configuration is not spoken here.
    pub const INCOMPATIBLE_VERSION: u32 = 1;
    /// A field asks for what is not supported.
    pub const UNSUPPORTED_FIELD: u32 = 2;
    /// The container is not known here, so nothing is left to be cleaned up.
    pub const UNKNOWN_CONTAINER: u32 = 3;
    /// The environment lacks something, or holds something invalid.
    pub const ENVIRONMENT: u32 = 4;
    /// Reading or writing failed.
    pub const IO: u32 = 5;
    /// What came is not the JSON that was expected.
    pub const DECODE: u32 = 6;
    /// The configuration is understood but wrong.
    pub const CONFIG: u32 = 7;
    /// It may work later.
    pub const TRY_AGAIN: u32 = 11;
    /// STATUS: an ADD would fail.
    pub const UNAVAILABLE: u32 = 50;
    /// STATUS: an ADD would work, but pods may not reach all they should.
    pub const LIMITED: u32 = 51;
    /// The kernel refused.
    pub const KERNEL: u32 = 100;
    /// Somebody else uses an address that the pod was given.
    pub const ADDRESS_CONFLICT: u32 = 101;
    /// A gateway does not answer.
    pub const GATEWAY_UNREACHABLE: u32 = 102;
    /// The node agent refused.
    pub const AGENT_REFUSED: u32 = 103;
    /// CHECK: something is not as ADD left it.
    pub const CHANGED: u32 = 104;
    /// A defect of this program.
    pub const DEFECT: u32 = 199;

    /// An error without details.
    pub fn new(code: u32, msg: impl Into<String>) -> Self {
        Self { code, msg: msg.into(), details: String::new() }
    }

    /// An error that says what `error` and its sources say.
    pub fn of(code: u32, error: &dyn Error) -> Self {
        Self::new(code, chain(error))
    }

    /// The configuration is wrong.
    pub fn config(msg: impl Into<String>) -> Self {
        Self::new(Self::CONFIG, msg)
    }

    /// The kernel refused.
    pub fn kernel(error: &dyn Error) -> Self {
        Self::of(Self::KERNEL, error)
    }

    /// Adds what helps those who look closer.
    #[must_use]
    pub fn with_details(mut self, details: impl Into<String>) -> Self {
        self.details = details.into();
        self
    }

    /// Puts what was being done before the message.
    #[must_use]
    pub fn while_doing(mut self, doing: &str) -> Self {
        self.msg = format!("{doing}: {}", self.msg);
        self
    }

    /// The error object for a configuration of this version.
    #[must_use]
    pub fn to_json(&self, version: Version) -> String {
        let Self { code, msg, details } = self;
        let printed = Printed { version: version.as_str(), code: *code, msg, details };
        // A struct of texts and a number always has a JSON form.
        serde_json::to_string(&printed).unwrap_or_default()
    }

    /// The error object that another plugin printed; none if it is none.
    #[must_use]
    pub fn from_json(text: &[u8]) -> Option<Self> {
        #[derive(Deserialize)]
        struct Read {
            code: u32,
            #[serde(default)]
            msg: String,
            #[serde(default)]
            details: String,
        }
        let Read { code, msg, details } = serde_json::from_slice(text).ok()?;
        Some(Self { code, msg, details })
    }
}

/// An error and what caused it in one line.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        // Some errors repeat their source themselves.
        if !text.ends_with(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    text
}
