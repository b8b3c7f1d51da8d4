use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use axum::http::Uri;
use clap::Args;

use super::allocation::AllocationArgs;
use crate::cli::connection::ConnectionArgs;
use crate::cli::input::Logging;
use crate::cli::process::on_all_addresses;
use crate::cli::variables::switch;
use crate::controllers::certificates::Lifetimes;
use crate::controllers::leader::Timing;

/// Serves admission in a cluster and, on one replica, runs the leader's loops
#[derive(Clone, Debug, Args)]
#[command(after_help = "Examples:
  railweave controller                       in a pod: everything comes from the environment
  railweave controller --kubeconfig admin.kubeconfig --namespace spiderpool \\
      --webhook-url https://my-machine:5722  beside a cluster

Ports: SPIDERPOOL_WEBHOOK_PORT and SPIDERPOOL_HEALTH_PORT are those of --listen and --admin-listen. The admin port
answers /livez, /readyz and /metrics; SPIDERPOOL_METRIC_HTTP_PORT opens a second one with the same answers.")]
pub(crate) struct ControllerArgs {
    #[command(flatten)]
    pub(crate) connection: ConnectionArgs,
    /// The namespace of the release
    #[arg(long, env = "POD_NAMESPACE", default_value = "spiderpool", value_name = "NAMESPACE")]
    pub(crate) namespace: String,
    /// The name of the release's objects: Service, Lease, webhook configurations
    #[arg(long, env = "RAILWEAVE_NAME", default_value = "spiderpool-controller", value_name = "NAME")]
    pub(crate) name: String,
    /// The `ConfigMap` with the configuration, in the release's namespace
    #[arg(long, env = "RAILWEAVE_CONFIG_MAP", default_value = "spiderpool-config", value_name = "NAME")]
    pub(crate) config_map: String,
    /// Whether nodes are watched, to warn of resources that none offers
    #[arg(long, default_value_t = true, action = clap::ArgAction::Set, value_name = "BOOL")]
    pub(crate) watch_nodes: bool,
    /// Whether the leader serves metrics of each single pool and subnet
    #[arg(long, env = DEBUG_METRICS, default_value = "false", action = clap::ArgAction::Set, value_name = "BOOL",
        value_parser = switch(DEBUG_METRICS))]
    pub(crate) debug_metrics: bool,
    #[command(flatten)]
    pub(crate) endpoints: EndpointArgs,
    #[command(flatten)]
    pub(crate) tls: TlsArgs,
    #[command(flatten)]
    pub(crate) allocation: AllocationArgs,
    #[command(flatten)]
    pub(crate) election: ElectionArgs,
    /// How long requests are still served after SIGTERM, while the cluster forgets this replica
    #[arg(long, default_value = "5", value_name = "SECONDS", value_parser = seconds)]
    pub(crate) drain_seconds: Duration,
    #[command(flatten)]
    pub(crate) logging: Logging,
}

const DEBUG_METRICS: &str = "SPIDERPOOL_ENABLED_DEBUG_METRIC";

/// Where the process listens, and where it says that it does.
#[derive(Clone, Debug, Args)]
pub(crate) struct EndpointArgs {
    /// Address of the webhooks [default: port 5722 on all addresses]
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(crate) listen: Option<SocketAddr>,
    /// Address of health and metrics [default: port 5720 on all addresses]
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(crate) admin_listen: Option<SocketAddr>,
    #[arg(long, hide = true, env = "SPIDERPOOL_WEBHOOK_PORT", default_value_t = 5722)]
    pub(crate) webhook_port: u16,
    #[arg(long, hide = true, env = "SPIDERPOOL_HEALTH_PORT", default_value_t = 5720)]
    pub(crate) health_port: u16,
    #[arg(long, hide = true, env = "SPIDERPOOL_METRIC_HTTP_PORT")]
    pub(crate) metrics_port: Option<u16>,
    /// The port of the Service, which the API server calls
    #[arg(long, env = "RAILWEAVE_SERVICE_PORT", default_value_t = 443, value_name = "PORT")]
    pub(crate) service_port: u16,
    /// The domain of the cluster's Services
    #[arg(long, env = "RAILWEAVE_CLUSTER_DOMAIN", default_value = "cluster.local", value_name = "DOMAIN")]
    pub(crate) cluster_domain: String,
    /// Where the API server reaches this process instead of the Service: https://HOST:PORT
    #[arg(long, value_name = "URL", value_parser = webhook_url)]
    pub(crate) webhook_url: Option<WebhookUrl>,
}

/// Certificates.
#[derive(Clone, Debug, Args)]
pub(crate) struct TlsArgs {
    /// Only clients with a certificate of these CAs may ask (PEM)
    #[arg(long, value_name = "FILE")]
    pub(crate) client_ca: Option<PathBuf>,
    /// Serve with tls.crt and tls.key of this directory instead of own certificates; a ca.crt beside them is
    /// what the API server is told to trust
    #[arg(long, value_name = "DIR")]
    pub(crate) tls_dir: Option<PathBuf>,
    /// Let cert-manager fill in caBundle, from this Certificate
    #[arg(long, value_name = "NAMESPACE/NAME", requires = "tls_dir")]
    pub(crate) cert_manager_inject: Option<String>,
    #[arg(long, hide = true, default_value = "90d", value_parser = duration)]
    pub(crate) leaf_lifetime: Duration,
    #[arg(long, hide = true, default_value = "365d", value_parser = duration)]
    pub(crate) authority_lifetime: Duration,
    #[arg(long, hide = true, default_value = "30s", value_parser = duration)]
    pub(crate) authority_settle: Duration,
}

/// Times of the election, in seconds.
#[derive(Clone, Debug, Args)]
pub(crate) struct ElectionArgs {
    #[arg(long, hide = true, env = "SPIDERPOOL_LEADER_DURATION", default_value = "15", value_parser = seconds)]
    pub(crate) lease_duration: Duration,
    #[arg(long, hide = true, env = "SPIDERPOOL_LEADER_RENEW_DEADLINE", default_value = "10", value_parser = seconds)]
    pub(crate) renew_deadline: Duration,
    #[arg(long, hide = true, env = "SPIDERPOOL_LEADER_RETRY_PERIOD", default_value = "2", value_parser = seconds)]
    pub(crate) retry_period: Duration,
}

/// `https://host:port`, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct WebhookUrl {
    /// Without a path or a slash at the end.
    pub(crate) base: String,
    /// The name or address that the certificate must have.
    pub(crate) host: String,
}

impl EndpointArgs {
    /// Where the webhooks are served.
    #[must_use]
    pub(crate) fn webhook_address(&self) -> SocketAddr {
        self.listen.unwrap_or_else(|| on_all_addresses(self.webhook_port))
    }

    /// Where health and metrics are served.
    #[must_use]
    pub(crate) fn admin_addresses(&self) -> Vec<SocketAddr> {
        let first = self.admin_listen.unwrap_or_else(|| on_all_addresses(self.health_port));
        let second = self.metrics_port.filter(|port| *port != first.port()).map(on_all_addresses);
        [Some(first), second].into_iter().flatten().collect()
    }

    /// The names and addresses by which the API server may call.
    #[must_use]
    pub(crate) fn names(&self, service: &str, namespace: &str) -> Vec<String> {
        let qualified = format!("{service}.{namespace}");
        let mut names =
            vec![format!("{qualified}.svc"), format!("{qualified}.svc.{}", self.cluster_domain), qualified];
        names.extend(self.webhook_url.as_ref().map(|url| url.host.clone()));
        names
    }
}

impl TlsArgs {
    /// How long certificates live.
    #[must_use]
    pub(crate) fn lifetimes(&self) -> Lifetimes {
        Lifetimes {
            leaf: self.leaf_lifetime,
            authority: self.authority_lifetime,
            settle: self.authority_settle,
        }
    }
}

impl ElectionArgs {
    /// The times as the election takes them; an error if two replicas could lead with them.
    pub(crate) fn timing(&self) -> Result<Timing, String> {
        let Self { lease_duration: lease, renew_deadline, retry_period: retry } = *self;
        if lease > renew_deadline && renew_deadline >= retry && !retry.is_zero() {
            return Ok(Timing { lease, renew_deadline, retry });
        }
        Err(format!(
            "SPIDERPOOL_LEADER_DURATION ({} s) must be longer than SPIDERPOOL_LEADER_RENEW_DEADLINE ({} s), or two replicas \
             could lead; and that at least SPIDERPOOL_LEADER_RETRY_PERIOD ({} s), which is at least 1 s",
            lease.as_secs(),
            renew_deadline.as_secs(),
            retry.as_secs()
        ))
    }
}

fn webhook_url(text: &str) -> Result<WebhookUrl, String> {
    let uri: Uri = text.parse().map_err(|error| format!("{error}"))?;
    let host = uri.host().unwrap_or_default();
    if uri.scheme_str() != Some("https")
        || host.is_empty()
        || !matches!(uri.path(), "" | "/")
        || uri.query().is_some()
    {
        return Err("give https://HOST:PORT without a path".to_owned());
    }
    let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    Ok(WebhookUrl { base: text.trim_end_matches('/').to_owned(), host })
}

fn seconds(text: &str) -> Result<Duration, String> {
    text.parse().map(Duration::from_secs).map_err(|_| "give whole seconds".to_owned())
}

/// `30s`, `15m`, `12h`, `90d`
fn duration(text: &str) -> Result<Duration, String> {
    let units = [('s', 1), ('m', 60), ('h', 3600), ('d', 24 * 3600)];
    let unit = units.into_iter().find_map(|(unit, seconds)| Some((text.strip_suffix(unit)?, seconds)));
    let parsed = unit.and_then(|(number, seconds)| Some(number.parse::<u32>().ok()? * seconds));
    parsed
        .map(|seconds| Duration::from_secs(seconds.into()))
        .ok_or_else(|| "write 30s, 15m, 12h or 90d".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        controller: ControllerArgs,
    }

    fn parse(arguments: &[&str]) -> Result<ControllerArgs, clap::Error> {
        let line = Line::try_parse_from([&["controller"], arguments].concat())?;
        Ok(line.controller)
    }

    #[test]
    fn the_certificate_has_every_name_the_api_server_may_use() {
        let args = parse(&["--webhook-url", "https://node-1:5722/"]).unwrap();
        assert_eq!(
            args.endpoints.names("spiderpool-controller", "rails"),
            [
                "spiderpool-controller.rails.svc",
                "spiderpool-controller.rails.svc.cluster.local",
                "spiderpool-controller.rails",
                "node-1",
            ]
        );
        assert_eq!(args.endpoints.webhook_url.unwrap().base, "https://node-1:5722");
    }

    #[test]
    fn urls_that_no_webhook_can_have_are_refused() {
        for url in ["http://a:1", "https://a:1/path", "a:1", "https://"] {
            assert!(webhook_url(url).is_err(), "{url}");
        }
        assert_eq!(webhook_url("https://[fd00::1]:5722").unwrap().host, "fd00::1");
    }

    #[test]
    fn times_with_which_two_replicas_could_lead_are_refused() {
        let timing = |lease: &str, deadline: &str, retry: &str| {
            let flags = ["--lease-duration", lease, "--renew-deadline", deadline, "--retry-period", retry];
            parse(&flags).unwrap().election.timing()
        };
        let seconds = Duration::from_secs;
        let usual = Timing { lease: seconds(15), renew_deadline: seconds(10), retry: seconds(2) };
        assert_eq!(parse(&[]).unwrap().election.timing(), Ok(usual));
        assert!(timing("15", "14", "10").is_ok(), "leading ends with the deadline");
        assert!(timing("2", "1", "1").is_ok());
        for (lease, deadline, retry) in [("10", "10", "2"), ("15", "2", "3"), ("15", "10", "0")] {
            let error = timing(lease, deadline, retry).unwrap_err();
            assert!(error.contains("two replicas could lead"), "{error}");
        }
    }

    #[test]
    fn spiderpool_s_log_level_counts_where_nothing_else_is_said() {
        let filter = |arguments: &[&str]| parse(arguments).unwrap().logging.filter().to_owned();
        assert_eq!(filter(&[]), "info");
        assert_eq!(filter(&["--spiderpool-level", "debug"]), "debug");
        assert_eq!(filter(&["--spiderpool-level", "panic"]), "error");
        assert_eq!(filter(&["--spiderpool-level", "debug", "--log", "warn"]), "warn");
    }

    #[test]
    fn durations_are_read() {
        let cases = [("30s", 30), ("15m", 900), ("12h", 43_200), ("90d", 7_776_000)];
        for (text, seconds) in cases {
            assert_eq!(duration(text), Ok(Duration::from_secs(seconds)));
        }
        assert!(duration("90").is_err());
        assert!(duration("d").is_err());
    }

    #[test]
    fn cert_manager_needs_the_files_it_makes() {
        assert!(parse(&["--cert-manager-inject", "rails/webhook"]).is_err());
        assert!(parse(&["--cert-manager-inject", "rails/webhook", "--tls-dir", "tls"]).is_ok());
    }
}
