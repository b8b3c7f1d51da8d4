//! Networks on host interfaces: which one the pods' interfaces hang on, and what `ifacer` makes of several.

use serde::Serialize;

use super::RenderError;
use crate::api::BondConfig;

/// The plugin `ifacer`: makes a bond, a VLAN interface, or both, on the host.
#[derive(Debug, Serialize)]
pub(super) struct Ifacer<'a> {
    interfaces: &'a [String],
    #[serde(rename = "vlanID", skip_serializing_if = "Option::is_none")]
    vlan_id: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bond: Option<Bond<'a>>,
}

#[derive(Debug, Serialize)]
struct Bond<'a> {
    name: &'a str,
    mode: i64,
    #[serde(skip_serializing_if = "str::is_empty")]
    options: &'a str,
}

/// The host interfaces below a network.
#[derive(Debug)]
pub(super) struct Masters<'a> {
    interfaces: &'a [String],
    bond: Option<Bond<'a>>,
}

impl<'a> Masters<'a> {
    /// `block` is the path of the network's block, for errors.
    pub(super) fn of(
        block: &str,
        master: Option<&'a Vec<String>>,
        bond: Option<&'a BondConfig>,
    ) -> Result<Self, RenderError> {
        let interfaces = master.map(Vec::as_slice).unwrap_or_default();
        let bond = match interfaces {
            [] => return Err(RenderError::new(format!("{block}.master"), "must name a host interface")),
            // A bond of one is none.
            [_] => None,
            _ => Some(Bond::of(block, bond)?),
        };
        Ok(Self { interfaces, bond })
    }

    /// The bond, or the only interface.
    pub(super) fn base(&self) -> &'a str {
        match (&self.bond, self.interfaces) {
            (Some(bond), _) => bond.name,
            (None, interfaces) => interfaces.first().map(String::as_str).unwrap_or_default(),
        }
    }

    /// The base, or the VLAN interface on it.
    pub(super) fn interface(&self, vlan: Option<i64>) -> String {
        match vlan {
            Some(vlan) => format!("{}.{vlan}", self.base()),
            None => self.base().to_owned(),
        }
    }

    /// None when the interface is there already.
    pub(super) fn ifacer(self, vlan_id: Option<i64>) -> Option<Ifacer<'a>> {
        let Self { interfaces, bond } = self;
        (bond.is_some() || vlan_id.is_some()).then_some(Ifacer { interfaces, vlan_id, bond })
    }
}

impl<'a> Bond<'a> {
    fn of(block: &str, bond: Option<&'a BondConfig>) -> Result<Self, RenderError> {
        let missing = |field: &str, detail| RenderError::new(format!("{block}.{field}"), detail);
        let bond = bond.ok_or_else(|| missing("bond", "must be there: master names several interfaces"))?;
        let name = bond.name.as_deref().filter(|name| !name.is_empty());
        Ok(Self {
            name: name.ok_or_else(|| missing("bond.name", "must name the bond"))?,
            mode: bond.mode.ok_or_else(|| missing("bond.mode", "must be the bonding mode, 0 to 6"))?,
            options: bond.options.as_deref().unwrap_or_default(),
        })
    }
}
