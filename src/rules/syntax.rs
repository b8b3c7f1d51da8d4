//! The shapes of names that other components prescribe; each function says what is wrong, if anything is.

/// A DNS-1123 subdomain, as object names are.
pub(super) fn subdomain(name: &str) -> Option<&'static str> {
    let edge = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let label = |label: &str| {
        label.bytes().all(|byte| edge(byte) || byte == b'-')
            && label.bytes().next().is_some_and(edge)
            && label.bytes().next_back().is_some_and(edge)
    };
    (name.len() > 253 || !name.split('.').all(label)).then_some(
        "must be lower-case letters, digits, '-' and '.', with a letter or digit at both ends of each part, \
         at most 253 characters",
    )
}

/// The name of a device plugin's resource: `domain/name`, not in Kubernetes' own domain.
pub(super) fn resource(name: &str) -> Option<&'static str> {
    const FORM: &str = "must be a resource name of the form domain/name, as spidernet.io/gpu1sriov";
    let Some((domain, rest)) = name.split_once('/') else { return Some(FORM) };
    let edge = |byte: u8| byte.is_ascii_alphanumeric();
    let well_formed = rest.len() <= 63
        && rest.bytes().all(|byte| edge(byte) || matches!(byte, b'-' | b'_' | b'.'))
        && rest.bytes().next().is_some_and(edge)
        && rest.bytes().next_back().is_some_and(edge);
    if subdomain(domain).is_some() || !well_formed {
        return Some(FORM);
    }
    // The kubelet accepts extended resources of other domains only (KEP on device plugins, `IsExtendedResourceName`).
    let reserved = domain == "kubernetes.io" || domain.ends_with(".kubernetes.io");
    (reserved || domain.starts_with("requests.")).then_some(
        "resources in this domain are not offered by device plugins; use another one, as spidernet.io",
    )
}

/// The name of a network interface (`dev_valid_name` in the kernel's `net/core/dev.c`).
pub(super) fn interface(name: &str) -> Option<&'static str> {
    let legal = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'/' | b':');
    let fits = (1..=15).contains(&name.len()) && name != "." && name != ".." && name.bytes().all(legal);
    (!fits)
        .then_some("must be the name of a network interface: 1 to 15 characters without blanks, '/' and ':'")
}

/// The `name` of a CNI configuration (CNI specification, section 1).
pub(super) fn cni_name(name: &str) -> Option<&'static str> {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
    let starts = name.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric());
    (!starts || !name.bytes().all(legal))
        .then_some("must be letters, digits, '_', '.' and '-', the first one a letter or digit")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_accepted_and_refused_as_their_owners_do() {
        for good in ["a", "gpu1-sriov", "a.b-c.9", &"a".repeat(253)] {
            assert_eq!(subdomain(good), None, "{good}");
        }
        for bad in ["", "A", "-a", "a-", "a..b", ".a", "a_b", &"a".repeat(254)] {
            assert!(subdomain(bad).is_some(), "{bad}");
        }
        for good in ["spidernet.io/gpu1sriov", "nvidia.com/GPU_1.x", "openshift.io/a"] {
            assert_eq!(resource(good), None, "{good}");
        }
        for bad in
            ["gpu1sriov", "a/", "/a", "a/b/c", "A.io/b", "a.io/-b", "kubernetes.io/x", "x.kubernetes.io/x"]
        {
            assert!(resource(bad).is_some(), "{bad}");
        }
        for good in ["eth0", "enp134s0f1np1.1", "bond-rail_1"] {
            assert_eq!(interface(good), None, "{good}");
        }
        for bad in ["", ".", "..", "a b", "a/b", "eth0:1", "sixteen-letters-"] {
            assert!(interface(bad).is_some(), "{bad}");
        }
        assert_eq!(cni_name("gpu1_net.x-1"), None);
        assert!(cni_name("").is_some() && cni_name("-a").is_some() && cni_name("a b").is_some());
    }
}
