//! Values that come from a pod's environment: each refusal names the variable, because that is where they stand.

use std::fmt::Display;
use std::str::FromStr;
use std::time::Duration;

/// The largest number that a variable can mean: a day of seconds, or more records than any pool has.
const MOST: u32 = 10_000_000;

/// A switch of the environment.
pub(super) fn switch(variable: &'static str) -> impl Fn(&str) -> Result<bool, String> + Clone {
    move |text| parse(text).ok_or_else(|| format!("{variable} is true or false"))
}

/// A whole number, from `least`.
pub(super) fn number(variable: &'static str, least: u32) -> impl Fn(&str) -> Result<usize, String> + Clone {
    move |text| {
        let value = parse::<u32>(text).filter(|value| (least..=MOST).contains(value));
        let value = value.and_then(|value| usize::try_from(value).ok());
        value.ok_or_else(|| format!("{variable} is a whole number from {least} to {MOST}"))
    }
}

/// Whole seconds, from `least`.
pub(super) fn seconds(
    variable: &'static str,
    least: u32,
) -> impl Fn(&str) -> Result<Duration, String> + Clone {
    move |text| {
        let value = parse::<u32>(text).filter(|value| (least..=MOST).contains(value));
        let value = value.map(|seconds| Duration::from_secs(seconds.into()));
        value.ok_or_else(|| format!("{variable} is whole seconds from {least} to {MOST}"))
    }
}

fn parse<T: FromStr<Err: Display>>(text: &str) -> Option<T> {
    text.trim().parse().ok()
}
