use serde::Deserialize;

use super::bond_options::{self, Options};
use crate::spec::{Call, CniError};

/// Names of links have less than this.
const IFNAMSIZ: usize = 16;

/// What a configuration asks for, validated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) interfaces: Vec<String>,
    /// Several interfaces without one are left as they are.
    pub(super) bond: Option<Bond>,
    pub(super) vlan: Option<u16>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Bond {
    pub(super) name: String,
    pub(super) mode: u8,
    pub(super) options: Options,
}

#[derive(Deserialize)]
struct ConfigJson {
    #[serde(default)]
    interfaces: Vec<String>,
    #[serde(rename = "vlanID", default)]
    vlan: i64,
    #[serde(default)]
    bond: Option<BondJson>,
}

#[derive(Deserialize)]
struct BondJson {
    #[serde(default)]
    name: String,
    #[serde(default)]
    mode: i64,
    #[serde(default)]
    options: Option<String>,
}

impl Wanted {
    pub(super) fn of(call: &Call) -> Result<Self, CniError> {
        let wrong = |text: String| {
            CniError::config(format!("the configuration of network {:?}: {text}", call.network()))
        };
        let ConfigJson { interfaces, vlan, bond } = call.config()?;
        if interfaces.is_empty() {
            return Err(wrong("interfaces is empty; name at least one interface of the host".to_owned()));
        }
        for (position, name) in interfaces.iter().enumerate() {
            check_name(&format!("interfaces[{position}]"), name).map_err(wrong)?;
            if interfaces[..position].contains(name) {
                return Err(wrong(format!("interfaces[{position}] {name:?} is there twice")));
            }
        }
        let vlan = u16::try_from(vlan)
            .ok()
            .filter(|vlan| *vlan <= 4094)
            .ok_or_else(|| wrong(format!("vlanID is {vlan}; write 0 (none) to 4094")))?;
        let bond = bond.filter(|_| interfaces.len() > 1).map(Bond::of).transpose().map_err(wrong)?;
        let wanted = Self { interfaces, bond, vlan: Some(vlan).filter(|vlan| *vlan != 0) };
        if let Some(name) = wanted.vlan_name() {
            check_name("the name of the VLAN interface", &name).map_err(wrong)?;
        }
        Ok(wanted)
    }

    /// The bond, or the only interface.
    pub(super) fn base(&self) -> &str {
        self.bond.as_ref().map_or(self.interfaces[0].as_str(), |bond| &bond.name)
    }

    /// Several interfaces that are no bond carry nothing.
    pub(super) fn vlan_name(&self) -> Option<String> {
        let is_one = self.bond.is_some() || self.interfaces.len() == 1;
        self.vlan.filter(|_| is_one).map(|vlan| format!("{}.{vlan}", self.base()))
    }

    /// What pods' interfaces hang on, if there is anything to be made.
    pub(super) fn top(&self) -> Option<String> {
        self.vlan_name().or_else(|| self.bond.as_ref().map(|bond| bond.name.clone()))
    }
}

impl Bond {
    fn of(json: BondJson) -> Result<Self, String> {
        let BondJson { name, mode, options } = json;
        let name = if name.is_empty() { "sp_bond0".to_owned() } else { name };
        check_name("bond.name", &name)?;
        let mode = u8::try_from(mode)
            .ok()
            .filter(|mode| *mode <= 6)
            .ok_or_else(|| format!("bond.mode is {mode}; write 0 to 6"))?;
        Ok(Self { name, mode, options: bond_options::parse(&options.unwrap_or_default())? })
    }
}

fn check_name(field: &str, name: &str) -> Result<(), String> {
    let valid = !name.is_empty()
        && name.len() < IFNAMSIZ
        && name != "."
        && name != ".."
        && !name.contains(|c: char| c == '/' || c == ':' || c.is_whitespace() || c.is_control());
    if valid {
        return Ok(());
    }
    Err(format!(
        "{field} is {name:?}; names of interfaces have 1 to 15 characters, without '/', ':' and spaces"
    ))
}
