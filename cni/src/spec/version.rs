use std::fmt;

use super::CniError;

/// A version of the CNI specification that we speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Version {
    /// 0.3.0
    V030,
    /// 0.3.1
    V031,
    /// 0.4.0: CHECK
    V040,
    /// 1.0.0: addresses without their family
    V100,
    /// 1.1.0: GC, STATUS, more of interfaces and routes
    V110,
}

impl Version {
    /// All of them, oldest first.
    pub const ALL: [Self; 5] = [Self::V030, Self::V031, Self::V040, Self::V100, Self::V110];
    /// The answer to VERSION, one line. Runtimes ask often, so it is at hand without any work.
    pub const TOLD: &str = "{\"cniVersion\":\"1.1.0\",\"supportedVersions\":[\"0.3.0\",\"0.3.1\",\"0.4.0\",\"1.0.0\",\"1.1.0\"]}\n";
    /// The newest.
    pub const NEWEST: Self = Self::V110;

    /// As written in configurations.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::V030 => "0.3.0",
            Self::V031 => "0.3.1",
            Self::V040 => "0.4.0",
            Self::V100 => "1.0.0",
            Self::V110 => "1.1.0",
        }
    }

    /// The version that a configuration asks for. One that names none means 0.1.0, says the specification.
    pub fn of_config(text: Option<&str>) -> Result<Self, CniError> {
        let text = text.filter(|text| !text.is_empty()).unwrap_or("0.1.0");
        Self::ALL.into_iter().find(|version| version.as_str() == text).ok_or_else(|| {
            CniError::new(
                CniError::INCOMPATIBLE_VERSION,
                format!("cniVersion {text:?} is not supported; set cniVersion to one of {}", Self::listed()),
            )
            .with_details(format!("the configuration asks for {text:?}, supported are {}", Self::listed()))
        })
    }

    fn listed() -> String {
        Self::ALL.map(Self::as_str).join(", ")
    }
}

impl fmt::Display for Version {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}
