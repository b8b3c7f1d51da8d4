//! Cases: well-formed documents, changed at random places, first as a tree, then perhaps as bytes.

use std::env;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

/// xorshift64*: enough to choose places and values, and repeatable from its seed.
pub(crate) struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 16
    }

    /// A number below `bound`, 0 if there is none.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next()).unwrap_or_default().checked_rem(bound).unwrap_or_default()
    }

    /// One of several.
    pub(crate) fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }
}

/// Runs cases until the time is up; says which one failed.
pub(crate) fn run(what: &str, case: impl Fn(&mut Random)) {
    let number = |name| env::var(name).ok().and_then(|value| value.parse::<u64>().ok());
    let time = Duration::from_secs(number("RAILWEAVE_FUZZ_SECONDS").unwrap_or(2));
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let first = number("RAILWEAVE_FUZZ_SEED").unwrap_or(since_epoch.as_secs() << 20);
    let begun = Instant::now();
    let mut seed = first;
    while begun.elapsed() < time {
        // Neighbouring seeds would begin alike, and zero would stay zero.
        let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| case(&mut random))) {
            eprintln!("{what}: to see this case again: RAILWEAVE_FUZZ_SEED={seed}");
            resume_unwind(panic);
        }
        seed += 1;
    }
    eprintln!("{what}: {} cases in {} s", seed - first, begun.elapsed().as_secs());
}

/// Changes up to four places of a tree.
pub(crate) fn change(value: &mut Value, random: &mut Random) {
    for _ in 0..=random.below(4) {
        let target = descend(value, random);
        match random.below(4) {
            0 => *target = odd_value(random),
            1 => remove_one(target, random),
            2 => add_one(target, random),
            _ => {
                if let Value::String(text) = target {
                    *text = odd_text(text, random);
                } else {
                    *target = odd_value(random);
                }
            }
        }
    }
}

/// Changes bytes: flips, cuts, repeats.
pub(crate) fn damage(bytes: &mut Vec<u8>, random: &mut Random) {
    for _ in 0..=random.below(3) {
        let at = random.below(bytes.len());
        match random.below(4) {
            0 => bytes.truncate(at),
            1 if !bytes.is_empty() => bytes[at] = u8::try_from(random.below(256)).unwrap_or_default(),
            2 if !bytes.is_empty() => {
                bytes.remove(at);
            }
            _ => {
                let end = (at + random.below(64)).min(bytes.len());
                let piece = bytes[at..end].to_vec();
                bytes.splice(at..at, piece);
            }
        }
    }
}

fn descend<'v>(mut value: &'v mut Value, random: &mut Random) -> &'v mut Value {
    loop {
        let inside = match value {
            Value::Object(fields) => fields.len(),
            Value::Array(items) => items.len(),
            _ => 0,
        };
        // One time in four it stops half-way, so that whole branches are changed too.
        if inside == 0 || random.below(4) == 0 {
            return value;
        }
        let at = random.below(inside);
        value = match value {
            Value::Object(fields) => match fields.values_mut().nth(at) {
                Some(field) => field,
                None => unreachable!("at is below the length"),
            },
            Value::Array(items) => &mut items[at],
            _ => unreachable!("only trees have something inside"),
        };
    }
}

fn remove_one(target: &mut Value, random: &mut Random) {
    match target {
        Value::Object(fields) => {
            let keys: Vec<String> = fields.keys().cloned().collect();
            if !keys.is_empty() {
                fields.remove(random.pick(&keys));
            }
        }
        Value::Array(items) if !items.is_empty() => {
            items.remove(random.below(items.len()));
        }
        _ => *target = Value::Null,
    }
}

fn add_one(target: &mut Value, random: &mut Random) {
    match target {
        Value::Object(fields) => {
            let keys =
                ["metadata", "spec", "cniType", "sriov", "ippools", "", "a/b~c", "\u{0}", "ips", "vlanID"];
            fields.insert((*random.pick(&keys)).to_owned(), odd_value(random));
        }
        Value::Array(items) => {
            let again = items.first().cloned().unwrap_or_else(|| odd_value(random));
            items.push(again);
        }
        _ => *target = odd_value(random),
    }
}

/// Values at the edges of what types and rules expect.
fn odd_value(random: &mut Random) -> Value {
    match random.below(14) {
        0 => Value::Null,
        1 => json!(true),
        2 => json!(-1),
        3 => json!(u64::MAX),
        4 => json!(1e308),
        5 => json!([]),
        6 => json!({}),
        7 => json!(["172.16.1.1-172.16.1.9", 7, null]),
        8 => json!({"limits": {"spidernet.io/gpu1sriov": "1e3"}}),
        9 => (0..60).fold(json!(1), |inner, _| json!([inner])),
        _ => Value::String(odd_text("", random)),
    }
}

fn odd_text(text: &str, random: &mut Random) -> String {
    const TEXTS: [&str; 24] = [
        "",
        "none",
        "rdma-network",
        "rdma-network,rdma-network, ,x",
        "10.0.0.0/8",
        "0.0.0.0/0",
        "0.0.0.0-255.255.255.255",
        "255.255.255.255",
        "172.16.1.2-172.16.1.256",
        "172.16.1.9-172.16.1.2",
        "::/0",
        "::1-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
        "fd00::1%eth0",
        "::ffff:10.0.0.1",
        "10.0.0.1/33",
        "-",
        "/",
        "ipv4",
        "*",
        "[",
        "{\"type\":",
        "9999999999999999999999",
        "1e400",
        "\u{feff}\u{0}\u{1f984}",
    ];
    match random.below(4) {
        0 => text.repeat(2),
        1 => text.chars().rev().collect(),
        2 => "g".repeat(1 << random.below(14)),
        _ => (*random.pick(&TEXTS)).to_owned(),
    }
}
