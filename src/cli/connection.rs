//! How the API server is reached, and for how long a connection that says nothing is believed.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use kube::client::ClientBuilder;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use tower::timeout::TimeoutLayer;

use super::process::ProcessError;
use super::variables::seconds;

/// Within this an answer begins, or the request is given up and made again by whoever made it.
pub(super) const ANSWER: Duration = Duration::from_secs(20);

const SILENCE: &str = "RAILWEAVE_API_SILENCE";

/// How to reach the API server.
#[derive(Clone, Debug, Args)]
pub(super) struct ConnectionArgs {
    /// How to reach the API server [default: the pod's service account, or $KUBECONFIG]
    #[arg(long, value_name = "FILE")]
    kubeconfig: Option<PathBuf>,
    /// How long a watch may say nothing before it goes on over another connection. API servers send a bookmark about every
    /// minute, so a longer silence means that the connection leads nowhere
    #[arg(long, env = SILENCE, default_value = "180", value_name = "SECONDS", value_parser = seconds(SILENCE, 1))]
    api_silence: Duration,
}

impl ConnectionArgs {
    /// A client of the API server, by kubeconfig or service account.
    pub(super) async fn client(&self) -> Result<Client, ProcessError> {
        let config = match &self.kubeconfig {
            Some(path) => {
                let failed =
                    |source| ProcessError::Kubeconfig { path: path.clone(), source: Box::new(source) };
                let kubeconfig = Kubeconfig::read_from(path).map_err(failed)?;
                let options = KubeConfigOptions::default();
                Config::from_custom_kubeconfig(kubeconfig, &options).await.map_err(failed)?
            }
            None => Config::infer().await.map_err(|source| ProcessError::Infer(Box::new(source)))?,
        };
        client(config, self.api_silence).map_err(|source| ProcessError::Client(Box::new(source)))
    }
}

/// A client that gives a connection up which says nothing for so long. A path that swallows packets (a load balancer or a NAT
/// entry that is gone) closes nothing: without bounds a watch would be believed for five minutes, and an answer waited for
/// without end.
pub(super) fn client(mut config: Config, silence: Duration) -> kube::Result<Client> {
    config.read_timeout = Some(silence);
    config.reset_reader_on_write = true;
    let builder = ClientBuilder::try_from(config)?;
    Ok(builder.with_layer(&TimeoutLayer::new(ANSWER.min(silence))).build())
}
