//! What attaching costs with real functions, as processes: the guest's part of `make bench-cni`.
//!
//! Without KVM the guest's processor is some fifteen times slower than the machine's, and not evenly so. What is to be
//! read are counts and shares: how much of a plugin's time is one request that the kernel works on, and how much is ours.
#![expect(clippy::print_stdout, reason = "figures are read by people")]

use std::collections::BTreeMap;
use std::fs;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::agent::Agent;
use crate::pod::Pod;
use crate::runtime::{Attachment, chain};
use crate::{crowd, guest, home};

const ROUNDS: usize = 3;
const TRACE: &str = "/tmp/trace";
const PLUGINS: [&str; 3] = ["sriov", "rdma", "coordinator"];

/// Times of each plugin's ADD and DEL, by their names.
type Times = BTreeMap<(&'static str, &'static str), Vec<Duration>>;

pub(crate) fn run() {
    if let Err(reason) = guest::here() {
        println!("the guest's part: skipped, {reason}");
        return;
    }
    home::tidy();
    start();
    let _agent = Agent::start();
    rails();
    home::expect_all();
    pods();
    home::expect_all();
}

fn start() {
    let once = || {
        let mut plugin = guest::command("/opt/cni/bin/sriov");
        timed(|| drop(plugin.env_clear().env("CNI_COMMAND", "VERSION").output().unwrap()))
    };
    println!("VERSION, start to exit: {}", spread((0..50).map(|_| once()).collect()));
}

/// The chain of each of a pod's rails, one after another, as Multus does it.
fn rails() {
    let mut times = Times::new();
    let mut whole = [Vec::new(), Vec::new()];
    for _ in 0..ROUNDS {
        let pod = Pod::of_cluster("pod-1");
        let mut rails: Vec<Attachment> = (0..home::ports()).map(|port| rail(&pod, port)).collect();
        whole[0].push(timed(|| rails.iter_mut().for_each(|rail| add(rail, &mut times))));
        whole[1].push(timed(|| rails.iter().for_each(|rail| del(rail, &mut times))));
    }
    for command in ["ADD", "DEL"] {
        for plugin in PLUGINS {
            let times = times.remove(&(plugin, command)).unwrap_or_default();
            println!("{command} of {plugin}, one rail: {}", spread(times));
        }
    }
    let [attach, detach] = whole.map(spread);
    println!("{} rails of a pod: attach {attach}, detach {detach}", home::ports());
    traced();
}

fn rail(pod: &Pod, port: usize) -> Attachment {
    Attachment::new(pod, &format!("net{}", port + 1), chain(home::function(port, 0), &json!({})))
}

fn add(rail: &mut Attachment, times: &mut Times) {
    let mut answer = None;
    for (number, plugin) in PLUGINS.into_iter().enumerate() {
        let begun = Instant::now();
        answer = Some(rail.add_one(number, answer));
        times.entry((plugin, "ADD")).or_default().push(begun.elapsed());
    }
}

fn del(rail: &Attachment, times: &mut Times) {
    for (number, plugin) in PLUGINS.into_iter().enumerate().rev() {
        let took = timed(|| rail.del_one(number).unwrap());
        times.entry((plugin, "DEL")).or_default().push(took);
    }
}

/// System calls, and which of them take longest: the last rail of a pod that has all others.
fn traced() {
    let pod = Pod::of_cluster("pod-1");
    let mut rails: Vec<Attachment> = (0..home::ports()).map(|port| rail(&pod, port)).collect();
    let (last, others) = rails.split_last_mut().unwrap();
    for rail in others.iter_mut() {
        rail.add().unwrap();
    }
    let trace = ["strace", "-f", "-T", "-qq", "-o", TRACE];
    let mut answer = Value::Null;
    for (number, plugin) in PLUGINS.into_iter().enumerate() {
        let mut config = last.config(number);
        if !answer.is_null() {
            config["prevResult"] = answer;
        }
        answer = last.run_under(&trace, "ADD", &config).unwrap();
        println!("ADD of {plugin}: {}", longest(&fs::read_to_string(TRACE).unwrap()));
    }
    for (number, plugin) in PLUGINS.into_iter().enumerate().rev() {
        let mut config = last.config(number);
        config["prevResult"] = answer.clone();
        last.run_under(&trace, "DEL", &config).unwrap();
        println!("DEL of {plugin}: {}", longest(&fs::read_to_string(TRACE).unwrap()));
    }
    for rail in others {
        rail.del().unwrap();
    }
}

/// Of a trace with the time of each call at the end of its line: `1234 close(5) = 0 <0.008123>`. One thread's wait for another
/// is left out, for the other is traced too.
fn longest(trace: &str) -> String {
    let call = |line: &str| {
        let (line, time) = line.strip_suffix('>')?.rsplit_once('<')?;
        let name = line.split_once(' ')?.1.trim_start().trim_start_matches("<... ");
        let end = name.find(|c: char| !c.is_ascii_alphanumeric() && c != '_')?;
        Some((time.parse::<f64>().ok()?, name[..end].to_owned())).filter(|(_, name)| name != "futex")
    };
    let mut calls: Vec<(f64, String)> = trace.lines().filter_map(call).collect();
    let (count, sum) = (calls.len(), calls.iter().map(|(time, _)| time).sum::<f64>());
    calls.sort_by(|(one, _), (other, _)| other.total_cmp(one));
    let longest: Vec<String> =
        calls.iter().take(4).map(|(time, name)| format!("{name} {:.1}", time * 1e3)).collect();
    format!(
        "{count} system calls, {:.1} ms in them when traced; the longest, in ms: {}",
        sum * 1e3,
        longest.join(", ")
    )
}

/// Every function of the node at once.
fn pods() {
    let mut times = [Vec::new(), Vec::new()];
    let mut count = 0;
    for _ in 0..ROUNDS {
        let pods = crowd::pods();
        let mut rails = Vec::new();
        times[0].push(timed(|| rails = crowd::attach(&pods)));
        times[1].push(timed(|| crowd::detach(&rails)));
        count = rails.len();
    }
    let [attach, detach] = times.map(spread);
    println!("{count} rails at once, {} of each pod: attach {attach}, detach {detach}", home::ports());
}

fn timed(act: impl FnOnce()) -> Duration {
    let begun = Instant::now();
    act();
    begun.elapsed()
}

/// Median, least and most.
fn spread(mut times: Vec<Duration>) -> String {
    times.sort_unstable();
    let at = |number: usize| times.get(number).map_or(f64::NAN, |time| time.as_secs_f64() * 1e3);
    format!("{:.1} ms ({:.1} to {:.1})", at(times.len() / 2), at(0), at(times.len().saturating_sub(1)))
}
