//! Eight rails beside an overlay, one process each, as Multus calls them.

#[expect(dead_code, reason = "the tests use more of it")]
#[path = "../../tests/kernel/coordinator/agent.rs"]
mod agent;
#[expect(dead_code, reason = "the tests use more of it")]
#[path = "../../tests/kernel/coordinator/lab.rs"]
mod lab;

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::json;

use self::lab::Lab;
use crate::{Spread, namespace};

const ROUNDS: usize = 40;

pub(crate) fn run(binary: &Path) {
    let measured = std::thread::scope(|scope| scope.spawn(|| measure(binary)).join().unwrap());
    match measured {
        Ok([add, again, check, del]) => {
            println!("coordinator, one rail of eight: ADD {add}, again {again}, CHECK {check}, DEL {del}");
        }
        Err(reason) => println!("coordinator: not measured, {reason}"),
    }
}

fn measure(binary: &Path) -> Result<[Spread; 4], String> {
    namespace::enter()?;
    let mut lab = Lab::new();
    binary.clone_into(&mut lab.binary);
    lab.calico(&[4]);
    (1..=8).for_each(|number| lab.rail(number, &[4]));
    let mut times: [Vec<Duration>; 4] = std::array::from_fn(|_| Vec::new());
    for _ in 0..ROUNDS {
        for (command, times) in ["ADD", "ADD", "CHECK", "DEL"].iter().zip(&mut times) {
            for number in 1..=8 {
                let begun = Instant::now();
                lab.call(command, &format!("net{number}"), &json!({})).ok();
                times.push(begun.elapsed());
            }
        }
        for number in 1..=8 {
            // As the plugin before would.
            lab.pod.ip(&format!("route append default via 172.16.{}.254 dev net{number}", number + 10));
        }
    }
    Ok(times.map(Spread::of))
}
