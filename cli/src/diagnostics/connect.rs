//! Finding the gRPC API, and connecting to it.

use super::{LIMIT, status::rpc_error};
use crate::{global::Global, sandbox::runtime::Running};
use anyhow::{anyhow, bail};
use std::{error::Error, net::SocketAddr};
use tonic::{
    Status,
    transport::{Channel, Endpoint},
};

/// Where the API is.
#[derive(Clone, Debug)]
pub enum Target {
    /// What the user named.
    Named(String),
    /// A running sandbox.
    Sandbox(Box<Running>),
}

impl Target {
    /// The API to ask.
    ///
    /// # Errors
    /// When none is named and no sandbox runs.
    pub fn find(global: &Global, running: impl FnOnce() -> Option<Running>) -> anyhow::Result<Self> {
        if let Some(address) = &global.api_addr {
            let port = address.rsplit_once(':').and_then(|(_, port)| port.parse::<u16>().ok());
            return match port {
                Some(_) => Ok(Self::Named(address.clone())),
                None => bail!("invalid --api-addr \"{address}\"; use HOST:PORT"),
            };
        }
        let running = running().map(Box::new).map(Self::Sandbox);
        running.ok_or_else(|| {
            let unused = global.unused();
            let unused = match unused.is_empty() {
                true => String::new(),
                false => format!(" ({} has no effect: this version connects to no cluster)", unused.join(", ")),
            };
            anyhow!(
                "no sandbox runs; start one with 'linkerd sandbox PATH', or name an API with --api-addr HOST:PORT{unused}"
            )
        })
    }

    /// Connects to the server that `of_sandbox` picks, or to the named address.
    ///
    /// # Errors
    /// When nothing answers there, in the form of a gRPC error.
    pub async fn connect(&self, of_sandbox: impl FnOnce(&Running) -> SocketAddr) -> Result<Channel, String> {
        let address = match self {
            Self::Named(address) => address.clone(),
            Self::Sandbox(running) => of_sandbox(running).to_string(),
        };
        tracing::debug!(address, "connecting");
        let unavailable = |reason: String| rpc_error(&Status::unavailable(reason));
        let endpoint = Endpoint::from_shared(format!("http://{address}")).map_err(|error| unavailable(root(&error)))?;
        let endpoint = endpoint.connect_timeout(LIMIT);
        endpoint.connect().await.map_err(|error| unavailable(format!("cannot connect to {address}: {}", root(&error))))
    }
}

/// The innermost cause, which is the one that tells something.
fn root(error: &dyn Error) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser as _;

    fn global(address: &str) -> Global {
        crate::arguments::Arguments::parse_from(["linkerd", "--api-addr", address]).global
    }

    #[test]
    fn without_an_address_a_running_sandbox_is_needed_and_the_error_says_how() {
        let error = Target::find(&Global::default(), || None).unwrap_err().to_string();
        assert_eq!(
            error,
            "no sandbox runs; start one with 'linkerd sandbox PATH', or name an API with --api-addr HOST:PORT"
        );
    }

    #[test]
    fn an_address_has_a_port() {
        assert!(Target::find(&global("[::1]:8086"), || None).is_ok());
        let error = Target::find(&global("localhost"), || None).unwrap_err().to_string();
        assert_eq!(error, "invalid --api-addr \"localhost\"; use HOST:PORT");
    }

    #[tokio::test]
    async fn an_address_without_server_is_named_with_the_cause() {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let target = Target::Named(free.to_string());
        let error = target.connect(|running| running.destination).await.unwrap_err();
        assert!(error.starts_with("rpc error: code = Unavailable desc = cannot connect to 127.0.0.1:"), "{error}");
        assert!(error.contains("onnection refused"), "{error}");
    }
}
