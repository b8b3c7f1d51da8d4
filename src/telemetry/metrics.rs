//! Every metric of railweave, registered in one table that `docs/metrics.md` is generated from.

mod page;

pub use page::documentation;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use prometheus::core::Collector;
use prometheus::process_collector::ProcessCollector;
use prometheus::{
    Gauge, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
    TextEncoder,
};

use crate::catalog::Catalog;
use crate::reason::Reason;

/// Upper bounds in seconds: a decision takes tens of microseconds, the API server gives up after 5 s.
const BUCKETS: [f64; 15] =
    [0.0001, 0.000_25, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0];

/// One row of the documentation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Descriptor {
    /// `railweave_...`
    pub name: &'static str,
    /// `counter`, `gauge` or `histogram`.
    pub kind: &'static str,
    /// Label names.
    pub labels: &'static [&'static str],
    /// What it says, in one sentence.
    pub meaning: &'static str,
}

/// What `prometheus::process_collector` adds under its customary names.
const PROCESS: [Descriptor; 7] = [
    process("process_cpu_seconds_total", "counter", "CPU time spent, user and system."),
    process("process_max_fds", "gauge", "File descriptors the process may open."),
    process("process_open_fds", "gauge", "File descriptors that are open."),
    process("process_resident_memory_bytes", "gauge", "Memory that is resident."),
    process("process_start_time_seconds", "gauge", "When the process started, in Unix time."),
    process("process_threads", "gauge", "Threads of the process."),
    process("process_virtual_memory_bytes", "gauge", "Address space in use."),
];

const fn process(name: &'static str, kind: &'static str, meaning: &'static str) -> Descriptor {
    Descriptor { name, kind, labels: &[], meaning }
}

/// A kind of series that the table below can hold.
trait Family: Collector + Clone + Sized + 'static {
    const KIND: &'static str;
    fn make(descriptor: &Descriptor) -> prometheus::Result<Self>;
}

macro_rules! family {
    ($($family:ty: $kind:literal, |$descriptor:ident| $make:expr;)*) => {
        $(impl Family for $family {
            const KIND: &'static str = $kind;
            fn make($descriptor: &Descriptor) -> prometheus::Result<Self> {
                $make
            }
        })*
    };
}

family! {
    IntCounter: "counter", |d| Self::new(d.name, d.meaning);
    IntCounterVec: "counter", |d| Self::new(Opts::new(d.name, d.meaning), d.labels);
    Gauge: "gauge", |d| Self::new(d.name, d.meaning);
    IntGauge: "gauge", |d| Self::new(d.name, d.meaning);
    IntGaugeVec: "gauge", |d| Self::new(Opts::new(d.name, d.meaning), d.labels);
    HistogramVec: "histogram", |d| {
        Self::new(HistogramOpts::new(d.name, d.meaning).buckets(BUCKETS.to_vec()), d.labels)
    };
}

/// Declares the fields of [`Metrics`] and their documentation together, so that neither can be forgotten.
macro_rules! metrics {
    ($($field:ident: $family:ty, $name:literal, [$($label:literal),*], $meaning:literal;)*) => {
        /// Handles of all series; cloning shares them.
        #[derive(Clone, Debug)]
        pub struct Metrics {
            registry: Registry,
            $(#[doc = $meaning] pub $field: $family,)*
        }

        /// Every metric of railweave's own, in the order of the documentation.
        pub const DESCRIPTORS: &[Descriptor] = &[$(Descriptor {
            name: $name,
            kind: <$family as Family>::KIND,
            labels: &[$($label),*],
            meaning: $meaning,
        }),*];

        impl Metrics {
            fn register(registry: Registry, component: &Component) -> prometheus::Result<Self> {
                let mut descriptors = DESCRIPTORS.iter();
                $(let $field: $family = register(&registry, component, descriptors.next())?;)*
                Ok(Self { registry, $($field),* })
            }
        }
    };
}

fn register<F: Family>(
    registry: &Registry,
    component: &Component,
    descriptor: Option<&Descriptor>,
) -> prometheus::Result<F> {
    let descriptor = descriptor.ok_or_else(|| prometheus::Error::Msg("the table is too short".into()))?;
    let family = F::make(descriptor)?;
    if component.shows(descriptor.name) {
        registry.register(Box::new(family.clone()))?;
    }
    Ok(family)
}

/// Which program the metrics are of.
struct Component {
    /// Value of the label `component`.
    name: &'static str,
    /// Beginnings of the names that it has nothing to say about. A 0 that nobody counted would stand beside the
    /// figures of those who did.
    lacks: &'static [&'static str],
}

const CONTROLLER: Component = Component { name: "controller", lacks: &[] };
const AGENT: Component = Component {
    name: "agent",
    lacks: &[
        "railweave_admission_",
        "railweave_catalog_",
        "railweave_config_",
        "railweave_certificate_",
        "railweave_ca_bundle_",
        "railweave_leader",
        "spiderpool_total_",
        "spiderpool_debug_",
    ],
};

impl Component {
    fn shows(&self, name: &str) -> bool {
        !self.lacks.iter().any(|prefix| name.starts_with(prefix))
    }
}

metrics! {
    build_info: IntGaugeVec, "railweave_build_info", ["component", "version"],
        "Always 1; the labels name the program (controller, agent) and the version that runs.";

    requests: IntCounterVec, "railweave_admission_requests_total", ["webhook", "decision", "reason", "dry_run"],
        "Reviews answered, by webhook, decision (allow, patch, deny, error) and reason code.";
    request_duration: HistogramVec, "railweave_admission_request_duration_seconds", ["webhook"],
        "Time from the request's head to the finished answer, reading the body included.";
    in_flight: IntGauge, "railweave_admission_requests_in_flight", [],
        "Reviews being read or decided now.";
    shed: IntCounter, "railweave_admission_requests_shed_total", [],
        "Reviews turned away with 503 because too many were in flight.";
    panics: IntCounter, "railweave_admission_panics_total", [],
        "Panics while deciding; each became a denial. Any value above 0 is a defect.";
    connections: IntGauge, "railweave_admission_connections", [],
        "TLS connections that are open.";
    handshake_failures: IntCounterVec, "railweave_admission_handshake_failures_total", ["cause"],
        "TLS handshakes that came to nothing: refused (by either side) or too slow (timeout).";

    catalog_networks: IntGauge, "railweave_catalog_networks", [],
        "Networks that admission knows.";
    catalog_groups: IntGauge, "railweave_catalog_groups", [],
        "Groups that pods can name.";
    catalog_namespaces: IntGauge, "railweave_catalog_namespaces", [],
        "Namespaces that admission knows.";
    catalog_pools: IntGauge, "railweave_catalog_pools", [],
        "Pools that admission knows.";
    catalog_bad_objects: IntGauge, "railweave_catalog_bad_objects", [],
        "Objects in the cluster that cannot be read and are left out; explain names them.";

    config_generation: IntGauge, "railweave_config_generation", [],
        "Counts the configurations that came into force since the start.";
    config_last_reload: Gauge, "railweave_config_last_good_reload_timestamp_seconds", [],
        "When the configuration in force was taken over, in Unix time.";
    config_reload_failed: IntGauge, "railweave_config_reload_failed", [],
        "1 while the configuration at hand is refused and the last good one stays in force.";

    certificate_expiry: Gauge, "railweave_certificate_expiry_timestamp_seconds", [],
        "When the serving certificate expires, in Unix time; 0 without one.";
    certificate_reload_failed: IntGauge, "railweave_certificate_reload_failed", [],
        "1 while a newer certificate is at hand that cannot be used and the old one stays in force.";
    ca_bundle_in_sync: IntGauge, "railweave_ca_bundle_in_sync", [],
        "1 while the registered webhooks trust exactly the CAs that this installation uses; where others write caBundle, while there is one.";

    ipam_waiting: IntGauge, "railweave_ipam_waiting_pods", [],
        "Bound pods whose endpoints are not written yet.";
    ipam_bound_to_endpoint: HistogramVec, "railweave_ipam_bound_to_endpoint_duration_seconds", [],
        "Time from when a pod was seen bound until its endpoint was written.";
    ipam_failures: IntCounterVec, "railweave_ipam_failures_total", ["reason"],
        "Pods that could not be given all their addresses, by reason code; counted when the reason changes.";
    ipam_commits: IntCounterVec, "railweave_ipam_commits_total", ["result"],
        "Writes of a pool's records by result: written, conflict (another writer was first) or error.";
    ipam_batches: IntCounter, "railweave_ipam_batches_total", [],
        "Plans that were made for at least one pod.";
    ipam_batched_pods: IntCounter, "railweave_ipam_batched_pods_total", [],
        "Pods in those plans; divided by the plans, the size of a batch.";
    ipam_records: IntGaugeVec, "railweave_ipam_records", ["state"],
        "Addresses that are recorded in pools, on the replica that leads, by state: in-use, suspect (the pod seems to be gone) or held (and its node does not answer).";
    ipam_pools: IntGaugeVec, "railweave_ipam_pools", ["state"],
        "Pools on the replica that leads, by state: free, nearly-full (a tenth of the addresses or less is left), full, unreadable or closed.";
    ipam_quarantined: IntGauge, "railweave_ipam_quarantined_addresses", [],
        "Addresses that were just released and are handed out only where there is no other.";
    ipam_suspects: IntGauge, "railweave_ipam_suspect_pods", [],
        "Pods that seem to be gone while addresses are recorded for them; they are asked about.";

    agent_requests: IntCounterVec, "railweave_agent_requests_total", ["operation", "result"],
        "Requests of plugins on the agent's socket, by operation (add, delete, batch) and result (ok, error).";
    agent_request_duration: HistogramVec, "railweave_agent_request_duration_seconds", ["operation"],
        "Time from a plugin's request to the agent's answer.";
    agent_attaches: IntCounterVec, "railweave_agent_attaches_total", ["source"],
        "Interfaces that were given addresses, by where they came from: endpoint (the leader's), or fallback (own plan).";
    allocations: IntCounter, "spiderpool_ipam_allocation_counts_total", [],
        "Pods that addresses were planned for; each plan counts.";
    allocation_failures: IntCounter, "spiderpool_ipam_allocation_failure_counts_total", [],
        "Of those, pods that got nothing.";
    allocation_conflicts: IntCounter, "spiderpool_ipam_allocation_update_ippool_conflict_counts_total", [],
        "Writes of a pool with new records that lost to another writer.";
    allocation_internal: IntCounter, "spiderpool_ipam_allocation_err_internal_counts_total", [],
        "Pods that got nothing for another reason than the next two.";
    allocation_no_pool: IntCounter, "spiderpool_ipam_allocation_err_no_available_pool_counts_total", [],
        "Pods that got nothing because no pool serves one of their rails.";
    allocation_used_out: IntCounter, "spiderpool_ipam_allocation_err_ip_used_out_counts_total", [],
        "Pods that got nothing because the pools of one of their rails have no address left.";
    allocation_duration: HistogramVec, "spiderpool_ipam_allocation_duration_seconds", [],
        "Time from when a pod was seen bound until its endpoint was written; on an agent, from a plugin's request.";
    allocation_average: Gauge, "spiderpool_ipam_allocation_average_duration_seconds", [],
        "The same, the mean since the start.";
    allocation_max: Gauge, "spiderpool_ipam_allocation_max_duration_seconds", [],
        "The same, the longest since the start.";
    allocation_min: Gauge, "spiderpool_ipam_allocation_min_duration_seconds", [],
        "The same, the shortest since the start.";
    allocation_latest: Gauge, "spiderpool_ipam_allocation_latest_duration_seconds", [],
        "The same, the last one.";
    releases: IntCounter, "spiderpool_ipam_release_counts_total", [],
        "Addresses that were to be released; each write counts.";
    release_failures: IntCounter, "spiderpool_ipam_release_failure_counts_total", [],
        "Of those, addresses that could not be released and are tried again.";
    release_conflicts: IntCounter, "spiderpool_ipam_release_update_ippool_conflict_counts_total", [],
        "Writes of a pool without new records that lost to another writer.";
    release_internal: IntCounter, "spiderpool_ipam_release_err_internal_counts_total", [],
        "Writes of a pool without new records that the API server refused or did not answer.";
    release_duration: HistogramVec, "spiderpool_ipam_release_duration_seconds", [],
        "Time from when a pod was seen to be gone or to have ended until its records were removed, for each record; on an agent, from when it takes over.";
    release_average: Gauge, "spiderpool_ipam_release_average_duration_seconds", [],
        "The same, the mean since the start.";
    release_max: Gauge, "spiderpool_ipam_release_max_duration_seconds", [],
        "The same, the longest since the start.";
    release_min: Gauge, "spiderpool_ipam_release_min_duration_seconds", [],
        "The same, the shortest since the start.";
    release_latest: Gauge, "spiderpool_ipam_release_latest_duration_seconds", [],
        "The same, the last one.";
    gc_releases: IntCounter, "spiderpool_ip_gc_counts_total", [],
        "Addresses that the leader released after their pods were gone or had ended.";
    gc_failures: IntCounter, "spiderpool_ip_gc_failure_counts_total", [],
        "Questions about pods that the API server did not answer; they are asked again.";
    total_pools: IntGauge, "spiderpool_total_ippool_counts", [],
        "Pools that there are.";
    total_subnets: IntGauge, "spiderpool_total_subnet_counts", [],
        "Subnets that there are.";
    pool_total: IntGaugeVec, "spiderpool_debug_ippool_total_ip_counts", ["SpiderIPPool"],
        "Addresses that a pool has, where a series for each pool is asked for.";
    pool_available: IntGaugeVec, "spiderpool_debug_ippool_available_ip_counts", ["SpiderIPPool"],
        "Of those, addresses that are not recorded.";
    subnet_total: IntGaugeVec, "spiderpool_debug_subnet_total_ip_counts", ["SpiderSubnet"],
        "Addresses that a subnet has, where a series for each subnet is asked for.";
    subnet_available: IntGaugeVec, "spiderpool_debug_subnet_available_ip_counts", ["SpiderSubnet"],
        "Of those, addresses that no pool has.";
    subnet_pools: IntGaugeVec, "spiderpool_debug_subnet_ippool_counts", ["SpiderSubnet"],
        "Pools that share the addresses of a subnet.";

    leader: IntGauge, "railweave_leader", [],
        "1 on the replica that holds the lease.";
    watch_events: IntCounterVec, "railweave_watch_events_total", ["kind"],
        "Objects received from the API server, by kind.";
    watch_restarts: IntCounterVec, "railweave_watch_restarts_total", ["kind"],
        "Watches that ended with an error and were started again, by kind.";
    reconciles: IntCounterVec, "railweave_reconciles_total", ["controller", "result"],
        "Reconciliations by controller and result (ok, error).";
    reconcile_duration: HistogramVec, "railweave_reconcile_duration_seconds", ["controller"],
        "Time one reconciliation takes.";
}

impl Metrics {
    /// Those of a controller, or of `serve`, in a registry of its own.
    pub fn new() -> prometheus::Result<Self> {
        Self::of(&CONTROLLER)
    }

    /// Those of an agent.
    pub fn for_agent() -> prometheus::Result<Self> {
        Self::of(&AGENT)
    }

    fn of(component: &Component) -> prometheus::Result<Self> {
        let metrics = Self::register(Registry::new(), component)?;
        metrics.registry.register(Box::new(ProcessCollector::for_self()))?;
        metrics.build_info.with_label_values(&[component.name, env!("CARGO_PKG_VERSION")]).set(1);
        Ok(metrics)
    }

    /// Shows the sizes and the configuration of a catalog that comes into force at `now`.
    pub fn set_catalog(&self, catalog: &Catalog, now: SystemTime) {
        let counts = catalog.counts();
        self.catalog_networks.set(whole(counts.networks));
        self.catalog_groups.set(whole(counts.groups));
        self.catalog_namespaces.set(whole(counts.namespaces));
        self.catalog_pools.set(whole(counts.pools));
        self.total_pools.set(whole(counts.pools));
        self.total_subnets.set(whole(counts.subnets));
        self.catalog_bad_objects.set(whole(catalog.problems.len()));
        self.config_reload_failed.set(i64::from(!catalog.config.errors.is_empty()));
        let generation = i64::try_from(catalog.config.generation).unwrap_or(i64::MAX);
        if generation != self.config_generation.get() {
            self.config_generation.set(generation);
            self.config_last_reload.set(unix_seconds(now));
        }
    }

    /// Shows how many addresses a pool has, and how many of them are free.
    pub fn set_pool(&self, name: &str, total: i64, available: i64) {
        self.pool_total.with_label_values(&[name]).set(total);
        self.pool_available.with_label_values(&[name]).set(available);
    }

    /// Shows how many addresses a subnet has, how many of them no pool has, and how many pools share them.
    pub fn set_subnet(&self, name: &str, total: i64, available: i64, pools: i64) {
        self.subnet_total.with_label_values(&[name]).set(total);
        self.subnet_available.with_label_values(&[name]).set(available);
        self.subnet_pools.with_label_values(&[name]).set(pools);
    }

    /// Forgets a pool.
    pub fn forget_pool(&self, name: &str) {
        forget(&self.numbers_of_pools(), name);
    }

    /// Forgets the numbers of all pools.
    pub fn forget_pools(&self) {
        self.numbers_of_pools().into_iter().for_each(IntGaugeVec::reset);
    }

    /// Forgets a subnet.
    pub fn forget_subnet(&self, name: &str) {
        forget(&self.numbers_of_subnets(), name);
    }

    /// Forgets the numbers of all subnets.
    pub fn forget_subnets(&self) {
        self.numbers_of_subnets().into_iter().for_each(IntGaugeVec::reset);
    }

    fn numbers_of_pools(&self) -> [&IntGaugeVec; 2] {
        [&self.pool_total, &self.pool_available]
    }

    fn numbers_of_subnets(&self) -> [&IntGaugeVec; 3] {
        [&self.subnet_total, &self.subnet_available, &self.subnet_pools]
    }

    /// Shows when the serving certificate expires.
    pub fn set_certificate_expiry(&self, expiry: Option<SystemTime>) {
        self.certificate_expiry.set(expiry.map_or(0.0, unix_seconds));
    }

    /// Counts one finished reconciliation.
    pub fn count_reconcile(&self, controller: &str, ok: bool, took: Duration) {
        let result = if ok { "ok" } else { "error" };
        self.reconciles.with_label_values(&[controller, result]).inc();
        self.reconcile_duration.with_label_values(&[controller]).observe(took.as_secs_f64());
    }

    /// Counts one pod whose endpoint is written, this long after it was seen bound.
    pub fn count_delivery(&self, took: Duration) {
        self.ipam_bound_to_endpoint.with_label_values::<&str>(&[]).observe(took.as_secs_f64());
        self.count_allocation(took);
    }

    /// Counts one pod that was given its addresses, after this long.
    pub fn count_allocation(&self, took: Duration) {
        Times {
            all: &self.allocation_duration,
            max: &self.allocation_max,
            min: &self.allocation_min,
            average: &self.allocation_average,
            latest: &self.allocation_latest,
        }
        .count(took);
    }

    /// Counts one address whose record was removed, after this long.
    pub fn count_release(&self, took: Duration) {
        Times {
            all: &self.release_duration,
            max: &self.release_max,
            min: &self.release_min,
            average: &self.release_average,
            latest: &self.release_latest,
        }
        .count(took);
    }

    /// Counts one pod that got no addresses.
    pub fn count_refusal(&self, reason: Reason) {
        self.allocation_failures.inc();
        match reason {
            Reason::NoPool | Reason::NoEligiblePool => self.allocation_no_pool.inc(),
            Reason::PoolExhausted | Reason::PoolFull => self.allocation_used_out.inc(),
            _ => self.allocation_internal.inc(),
        }
    }

    /// All series in the text format that Prometheus scrapes.
    pub fn render(&self) -> prometheus::Result<String> {
        TextEncoder::new().encode_to_string(&self.registry.gather())
    }
}

/// One duration, as Spiderpool tells it: a histogram, and gauges of its extremes, mean and last value.
struct Times<'a> {
    all: &'a HistogramVec,
    max: &'a Gauge,
    min: &'a Gauge,
    average: &'a Gauge,
    latest: &'a Gauge,
}

impl Times<'_> {
    fn count(&self, took: Duration) {
        let seconds = took.as_secs_f64();
        let all = self.all.with_label_values::<&str>(&[]);
        let first = all.get_sample_count() == 0;
        all.observe(seconds);
        let bounded = |gauge: &Gauge, keep: fn(f64, f64) -> f64| {
            gauge.set(if first { seconds } else { keep(gauge.get(), seconds) });
        };
        bounded(self.max, f64::max);
        bounded(self.min, f64::min);
        self.latest.set(seconds);
        // A histogram has counted at least this one.
        let count = u32::try_from(all.get_sample_count()).unwrap_or(u32::MAX).max(1);
        self.average.set(all.get_sample_sum() / f64::from(count));
    }
}

fn whole(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// Forgets a series; it may never have been there.
fn forget(numbers: &[&IntGaugeVec], label: &str) {
    for series in numbers {
        let _ = series.remove_label_values(&[label]);
    }
}

fn unix_seconds(time: SystemTime) -> f64 {
    time.duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
}

#[cfg(test)]
mod tests;
