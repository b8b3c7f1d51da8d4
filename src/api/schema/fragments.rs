//! Pieces of CEL expressions about addresses, as macros because `concat!` takes literals only.
//!
//! Nothing can be given a name inside CEL here: the API server forgets how long a text may be once it went
//! through a list, and refuses the rule as too costly. So pieces repeat where code would bind a variable.

/// First address of the range `$range`; of `a` that is `a`.
macro_rules! first {
    ($range:literal) => {
        concat!($range, ".substring(0, (", $range, " + '-').indexOf('-'))")
    };
}

/// Last address of the range `$range`.
macro_rules! last {
    ($range:literal) => {
        concat!($range, ".substring(", $range, ".indexOf('-') + 1)")
    };
}

/// Whether both ends of `$range` are addresses (`::ffff:10.0.0.1` is none for the API server).
macro_rules! is_range {
    ($range:literal) => {
        concat!("(isIP(", first!($range), ") && isIP(", last!($range), "))")
    };
}

/// The number that the list of octets `$octets` stands for.
macro_rules! number {
    ($octets:literal) => {
        concat!(
            "(int(",
            $octets,
            "[0]) * 16777216 + int(",
            $octets,
            "[1]) * 65536 + int(",
            $octets,
            "[2]) * 256 + int(",
            $octets,
            "[3]))"
        )
    };
}

/// Whether the IPv4 address with number `n` lies in one of the ranges in field `$field`, after `$guard`.
macro_rules! holds {
    ($field:literal, $guard:expr) => {
        concat!(
            "self.",
            $field,
            ".exists(r, ",
            $guard,
            "[",
            first!("r"),
            ".split('.', 4)].exists(a, a.size() == 4 && ",
            number!("a"),
            " <= n) && [",
            last!("r"),
            ".split('.', 4)].exists(b, b.size() == 4 && n <= ",
            number!("b"),
            "))"
        )
    };
}

/// Whether an update leaves `$field` as it is; rules that look at several fields skip what nobody edits.
macro_rules! kept {
    ($($field:literal),+) => {
        concat!(
            "(oldSelf.hasValue()",
            $(
                " && has(oldSelf.value().", $field, ") == has(self.", $field, ")",
                " && (!has(self.", $field, ") || oldSelf.value().", $field, " == self.", $field, ")",
            )+
            ") || "
        )
    };
}

/// Whether `$list` is so long that walking it would cost the API server a second; the webhook does.
macro_rules! few {
    ($list:expr) => {
        concat!($list, ".size() > 1000 || ")
    };
}

/// Whether every range in `$field` lies in the subnet.
macro_rules! inside {
    ($field:literal) => {
        concat!(
            kept!("subnet", $field),
            "!has(self.",
            $field,
            ") || !isCIDR(self.subnet) || ",
            few!(concat!("self.", $field)),
            "self.",
            $field,
            ".all(r, !",
            is_range!("r"),
            " || (cidr(self.subnet).containsIP(",
            first!("r"),
            ") && cidr(self.subnet).containsIP(",
            last!("r"),
            ")))"
        )
    };
}

/// Last group of digits of the first address of an IPv6 range `r`.
macro_rules! first_group {
    () => {
        "r.substring(r.substring(0, r.indexOf('-')).lastIndexOf(':') + 1, r.indexOf('-'))"
    };
}

/// Last group of digits of the last address of an IPv6 range `r`.
macro_rules! last_group {
    () => {
        "r.substring(r.lastIndexOf(':') + 1)"
    };
}

/// Whether `r` is no IPv6 range, or one whose ends differ in more than the last group.
macro_rules! unlike_heads {
    () => {
        concat!(
            "r.indexOf('-') <= r.indexOf(':') || r.lastIndexOf(':') < r.indexOf('-') || r.contains('.')",
            " || r.substring(0, r.substring(0, r.indexOf('-')).lastIndexOf(':'))",
            " != r.substring(r.indexOf('-') + 1, r.lastIndexOf(':')) || "
        )
    };
}

/// A rule for each range `r` of the list, unless an update leaves the list as it is.
macro_rules! each_range {
    ($rule:expr) => {
        concat!(
            "(oldSelf.hasValue() && oldSelf.value() == self) || ",
            few!("self"),
            "self.all(r, ",
            $rule,
            ")"
        )
    };
}
