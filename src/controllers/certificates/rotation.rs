//! What to do next with the certificates, as a function of what there is and what time it is. Pure.

use std::time::{Duration, SystemTime};

use super::material::{Material, Retired};
use crate::admission::certificates::{
    Authority, CertificateError, Leaf, Validity, is_signed_by, issue_leaf, make_authority, names,
};
use crate::admission::tls::LiveCertificate;

/// How long certificates live. Both are renewed when two thirds of that have passed.
#[derive(Clone, Debug)]
pub struct Lifetimes {
    /// Of the serving certificate.
    pub leaf: Duration,
    /// Of the authority.
    pub authority: Duration,
    /// How long a published bundle is given to reach every API server before it is relied on.
    pub settle: Duration,
}

/// The next step of a rotation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Nothing to do until then.
    Wait(SystemTime),
    /// A new leaf of the same authority.
    IssueLeaf,
    /// A successor of the authority, to be published before it signs anything.
    PrepareAuthority,
    /// The successor is there, but not yet trusted everywhere.
    AwaitTrust,
    /// The successor takes over and signs a new leaf.
    SwitchAuthority,
    /// No leaf of the predecessor can be in use any more.
    DropPrevious,
}

/// Says what to do. `trusted` is whether the present bundle has been read back and has had time to settle.
pub(super) fn next_step(
    material: &Material,
    wanted_names: &[String],
    lifetimes: &Lifetimes,
    now: SystemTime,
    trusted: bool,
) -> Result<Step, CertificateError> {
    let authority_due = due(&material.authority.cert_pem, lifetimes.authority)?;
    let leaf_due = leaf_due(material, lifetimes)?;
    if material.next.is_some() && trusted {
        return Ok(Step::SwitchAuthority);
    }
    if leaf_due.is_some_and(|due| now >= due) || !leaf_fits(material, wanted_names)? {
        return Ok(Step::IssueLeaf);
    }
    if material.next.is_some() {
        return Ok(Step::AwaitTrust);
    }
    if now >= authority_due {
        return Ok(Step::PrepareAuthority);
    }
    let mut wake = leaf_due.map_or(authority_due, |due| due.min(authority_due));
    if let Some(previous) = &material.previous {
        if now >= previous.until {
            return Ok(Step::DropPrevious);
        }
        wake = wake.min(previous.until);
    }
    Ok(Step::Wait(wake))
}

/// The material after a step; the same for steps that change nothing.
pub(super) fn perform(
    step: Step,
    material: &Material,
    wanted_names: &[String],
    lifetimes: &Lifetimes,
    now: SystemTime,
) -> Result<Material, CertificateError> {
    let mut new = material.clone();
    match step {
        Step::Wait(_) | Step::AwaitTrust => {}
        Step::IssueLeaf => new.leaf = leaf(&material.authority, wanted_names, lifetimes, now)?,
        Step::PrepareAuthority => new.next = Some(authority(lifetimes, now)?),
        Step::SwitchAuthority => {
            if let Some(next) = new.next.take() {
                new.previous = Some(Retired {
                    cert_pem: material.authority.cert_pem.clone(),
                    until: Validity::of(&material.leaf.cert_pem)?.not_after,
                });
                new.leaf = leaf(&next, wanted_names, lifetimes, now)?;
                new.authority = next;
            }
        }
        Step::DropPrevious => new.previous = None,
    }
    Ok(new)
}

/// A new authority and a leaf of it, for an installation that has neither.
pub(super) fn begin(
    wanted_names: &[String],
    lifetimes: &Lifetimes,
    now: SystemTime,
) -> Result<Material, CertificateError> {
    let authority = authority(lifetimes, now)?;
    let leaf = leaf(&authority, wanted_names, lifetimes, now)?;
    Ok(Material { authority, leaf, next: None, previous: None })
}

fn authority(lifetimes: &Lifetimes, now: SystemTime) -> Result<Authority, CertificateError> {
    make_authority("railweave webhook CA", now, lifetimes.authority)
}

/// A leaf never outlives its authority: the API server would refuse it from then on.
fn leaf(
    authority: &Authority,
    wanted_names: &[String],
    lifetimes: &Lifetimes,
    now: SystemTime,
) -> Result<Leaf, CertificateError> {
    let left = Validity::of(&authority.cert_pem)?.not_after.duration_since(now).unwrap_or_default();
    issue_leaf(authority, wanted_names, now, lifetimes.leaf.min(left))
}

/// When two thirds of the time have passed, counted back from the end: a certificate begins a little before
/// it was made.
fn due(cert_pem: &str, lifetime: Duration) -> Result<SystemTime, CertificateError> {
    Ok(Validity::of(cert_pem)?.not_after - lifetime / 3)
}

/// When the leaf is to be renewed; never when it already ends with its authority, which is then due itself.
fn leaf_due(material: &Material, lifetimes: &Lifetimes) -> Result<Option<SystemTime>, CertificateError> {
    let end = |pem: &str| Validity::of(pem).map(|validity| validity.not_after);
    let extendable = end(&material.leaf.cert_pem)? < end(&material.authority.cert_pem)?;
    Ok(if extendable { Some(due(&material.leaf.cert_pem, lifetimes.leaf)?) } else { None })
}

/// Whether the leaf has its key, its names and the right signature.
fn leaf_fits(material: &Material, wanted_names: &[String]) -> Result<bool, CertificateError> {
    let has = names(&material.leaf.cert_pem)?;
    let named = wanted_names.iter().all(|name| has.contains(name));
    let paired = LiveCertificate::default().set(&material.leaf.cert_pem, &material.leaf.key_pem).is_ok();
    Ok(named && paired && is_signed_by(&material.leaf.cert_pem, &material.authority.cert_pem)?)
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    const DAY: Duration = Duration::from_hours(24);

    const LIFETIMES: Lifetimes = Lifetimes {
        leaf: Duration::from_hours(90 * 24),
        authority: Duration::from_hours(365 * 24),
        settle: DAY,
    };

    struct Fixture {
        material: Material,
        now: SystemTime,
    }

    impl Fixture {
        fn new() -> Self {
            let now = UNIX_EPOCH + DAY * 20_000;
            Self { material: begin(&service(), &LIFETIMES, now).unwrap(), now }
        }

        fn step(&self, trusted: bool) -> Step {
            next_step(&self.material, &service(), &LIFETIMES, self.now, trusted).unwrap()
        }

        fn perform(&mut self, step: Step) {
            self.material = perform(step, &self.material, &service(), &LIFETIMES, self.now).unwrap();
        }
    }

    fn service() -> Vec<String> {
        vec!["c.rails.svc".to_owned()]
    }

    #[test]
    fn a_new_installation_waits_for_two_thirds_of_its_leaf() {
        let fixture = Fixture::new();
        assert_eq!(fixture.step(true), Step::Wait(fixture.now + DAY * 60));
    }

    #[test]
    fn the_leaf_is_renewed_under_the_same_bundle() {
        let mut fixture = Fixture::new();
        let bundle = fixture.material.bundle();
        fixture.now += DAY * 60;
        assert_eq!(fixture.step(true), Step::IssueLeaf);
        fixture.perform(Step::IssueLeaf);
        assert_eq!(fixture.step(true), Step::Wait(fixture.now + DAY * 60));
        assert_eq!(fixture.material.bundle(), bundle);
    }

    #[test]
    fn a_leaf_without_a_wanted_name_is_replaced() {
        let fixture = Fixture::new();
        let wanted = ["c.rails.svc".to_owned(), "node-1".to_owned()];
        let step = next_step(&fixture.material, &wanted, &LIFETIMES, fixture.now, true).unwrap();
        assert_eq!(step, Step::IssueLeaf);
    }

    #[test]
    fn an_authority_is_replaced_only_after_its_successor_is_trusted() {
        let mut fixture = Fixture::new();
        let old = fixture.material.authority.cert_pem.clone();
        fixture.now += DAY * 245;
        fixture.perform(Step::IssueLeaf);
        assert_eq!(fixture.step(true), Step::PrepareAuthority);
        fixture.perform(Step::PrepareAuthority);
        let next = fixture.material.next.clone().unwrap();
        assert!(fixture.material.bundle().contains(&old));
        assert!(fixture.material.bundle().contains(next.cert_pem.trim_end()));
        assert!(is_signed_by(&fixture.material.leaf.cert_pem, &old).unwrap(), "nothing is signed by it yet");
        assert_eq!(fixture.step(false), Step::AwaitTrust);
        assert_eq!(fixture.step(true), Step::SwitchAuthority);
        fixture.perform(Step::SwitchAuthority);
        assert!(fixture.material.authority == next);
        assert!(is_signed_by(&fixture.material.leaf.cert_pem, &next.cert_pem).unwrap());
        assert!(fixture.material.bundle().contains(&old), "a replica may still serve a leaf of the old one");
        fixture.now += DAY * 59;
        assert!(matches!(fixture.step(true), Step::Wait(_)));
        fixture.now += DAY * 31;
        fixture.perform(Step::IssueLeaf);
        assert_eq!(fixture.step(true), Step::DropPrevious);
        fixture.perform(Step::DropPrevious);
        assert!(!fixture.material.bundle().contains(&old));
    }

    #[test]
    fn while_the_successor_waits_for_trust_the_leaf_is_still_renewed() {
        let mut fixture = Fixture::new();
        fixture.now += DAY * 245;
        fixture.perform(Step::PrepareAuthority);
        assert_eq!(fixture.step(false), Step::IssueLeaf);
    }

    #[test]
    fn a_leaf_does_not_outlive_its_authority() {
        let mut fixture = Fixture::new();
        fixture.now += DAY * 300;
        fixture.perform(Step::IssueLeaf);
        let end = |pem: &str| Validity::of(pem).unwrap().not_after;
        assert_eq!(end(&fixture.material.leaf.cert_pem), end(&fixture.material.authority.cert_pem));
        assert_eq!(fixture.step(false), Step::PrepareAuthority, "another leaf would end no later");
    }
}
