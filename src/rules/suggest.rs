//! "Did you mean": the known words that are near to one that is not known.

use std::collections::BTreeSet;

/// Longer words are no typing errors, and comparing them costs the product of the lengths.
const LONGEST: usize = 253;

/// The candidate nearest to `word`, if one is near enough to be what was meant.
#[must_use]
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    nearest_few(word, candidates, 1).into_iter().next()
}

/// At most `limit` candidates that may have been meant, the nearest first; the word itself is not one.
#[must_use]
pub fn nearest_few<'a>(
    word: &str,
    candidates: impl IntoIterator<Item = &'a str>,
    limit: usize,
) -> Vec<&'a str> {
    if word.is_empty() || word.len() > LONGEST {
        return Vec::new();
    }
    let reach = (word.chars().count() / 3).max(1);
    let lower = word.to_lowercase();
    let near: BTreeSet<(usize, &str)> = candidates
        .into_iter()
        .filter(|candidate| *candidate != word && candidate.len().abs_diff(word.len()) <= reach)
        .map(|candidate| (strsim::damerau_levenshtein(&lower, &candidate.to_lowercase()), candidate))
        .filter(|(distance, _)| *distance <= reach)
        .collect();
    near.into_iter().take(limit).map(|(_, candidate)| candidate).collect()
}

/// `; did you mean "x"?`, to be put behind a message; empty when nothing is near.
#[must_use]
pub fn did_you_mean<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> String {
    nearest(word, candidates).map(|near| format!("; did you mean {near:?}?")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_comes_first_and_the_far_not_at_all() {
        let pools = ["gpu1-net11", "gpu1-net12", "gpu2-net11", "storage"];
        assert_eq!(nearest_few("gpu1-net91", pools, 3), ["gpu1-net11", "gpu1-net12", "gpu2-net11"]);
        assert_eq!(nearest("enableRDMA", ["enableRdma", "mtu"]), Some("enableRdma"));
        assert_eq!(nearest("mtu", ["mtu"]), None);
        assert_eq!(nearest("x", ["storage"]), None);
        assert_eq!(nearest("", ["a"]), None);
        assert_eq!(did_you_mean("sriof", ["sriov", "vlan"]), "; did you mean \"sriov\"?");
        assert_eq!(did_you_mean("zzzzz", ["sriov", "vlan"]), "");
    }
}
