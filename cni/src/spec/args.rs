use std::collections::BTreeMap;
use std::fmt;

use super::CniError;

/// `CNI_ARGS`: what the runtime tells beside the configuration, as `K8S_POD_NAME=job-0;K8S_POD_NAMESPACE=ai`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Args(BTreeMap<String, String>);

/// What our plugins read, and what they know to be harmless.
const KNOWN: [&str; 7] = [
    "IgnoreUnknown",
    "IP",
    "MAC",
    "K8S_POD_NAMESPACE",
    "K8S_POD_NAME",
    "K8S_POD_UID",
    "K8S_POD_INFRA_CONTAINER_ID",
];

impl Args {
    /// Pairs `K=V` with `;` between them. A key that no plugin of ours knows is refused unless `IgnoreUnknown` is true.
    pub fn parse(text: &str) -> Result<Self, CniError> {
        let mut args = Self::default();
        for pair in text.split(';').filter(|pair| !pair.is_empty()) {
            let (key, value) = pair.split_once('=').ok_or_else(|| {
                refused(format!(
                    "CNI_ARGS holds {pair:?}, which is no pair; write it like K8S_POD_NAME=job-0"
                ))
            })?;
            args.0.insert(key.to_owned(), value.to_owned());
        }
        let unknown: Vec<&str> =
            args.0.keys().map(String::as_str).filter(|key| !KNOWN.contains(key)).collect();
        if !args.ignores_unknown()? && !unknown.is_empty() {
            let unknown = unknown.join(", ");
            return Err(refused(format!("CNI_ARGS holds {unknown}, unknown here; add IgnoreUnknown=true")));
        }
        Ok(args)
    }

    /// The pairs that there are, nothing refused: a pod must go however it came.
    #[must_use]
    pub fn parse_loosely(text: &str) -> Self {
        let pairs = text.split(';').filter_map(|pair| pair.split_once('='));
        Self(pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).collect())
    }

    /// A value; one that is empty is none.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// `K8S_POD_NAMESPACE`, empty without.
    #[must_use]
    pub fn pod_namespace(&self) -> &str {
        self.get("K8S_POD_NAMESPACE").unwrap_or_default()
    }

    /// `K8S_POD_NAME`, empty without.
    #[must_use]
    pub fn pod_name(&self) -> &str {
        self.get("K8S_POD_NAME").unwrap_or_default()
    }

    /// `K8S_POD_UID`, empty without: some runtimes do not tell it.
    #[must_use]
    pub fn pod_uid(&self) -> &str {
        self.get("K8S_POD_UID").unwrap_or_default()
    }

    /// `MAC`: the hardware address that the interface is to have.
    #[must_use]
    pub fn mac(&self) -> Option<&str> {
        self.get("MAC")
    }

    fn ignores_unknown(&self) -> Result<bool, CniError> {
        let Some(value) = self.get("IgnoreUnknown") else { return Ok(false) };
        match value.to_ascii_lowercase().as_str() {
            "1" | "true" => Ok(true),
            "0" | "false" => Ok(false),
            _ => Err(refused(format!("CNI_ARGS holds IgnoreUnknown={value}; write true or false"))),
        }
    }
}

impl fmt::Display for Args {
    /// As in `CNI_ARGS`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, (key, value)) in self.0.iter().enumerate() {
            let between = if position == 0 { "" } else { ";" };
            write!(formatter, "{between}{key}={value}")?;
        }
        Ok(())
    }
}

fn refused(msg: String) -> CniError {
    CniError::new(CniError::ENVIRONMENT, msg)
}
