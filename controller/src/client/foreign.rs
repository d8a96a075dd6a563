//! Clients of other clusters, from kubeconfigs that somebody wrote into this one.

use super::limited::Limited;
use http::Response;
use kube::{
    Client, Config,
    client::ClientBuilder,
    config::{AuthInfo, Cluster, KubeConfigOptions, Kubeconfig, KubeconfigError},
};
use std::time::Duration;
use tower::util::MapResponseLayer;

/// Longest time that an answer may take, or a stream be silent. Watches live two minutes at most.
const READ_TIMEOUT: Duration = Duration::from_secs(150);

/// Longest time to connect.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Why a kubeconfig gives no client.
///
/// No message shows what is in the kubeconfig, which holds credentials.
#[derive(Debug, thiserror::Error)]
pub enum ForeignKubeconfigError {
    /// Not text, or not the YAML of a kubeconfig.
    #[error("the kubeconfig is not YAML of the kind that kubectl reads")]
    Unreadable,
    /// A field that would run a program or read a file here.
    #[error("the kubeconfig has {field}, which would run or read something in this pod; {instead}")]
    Refused {
        /// The field.
        field: &'static str,
        /// What to write instead.
        instead: &'static str,
    },
    /// A kubeconfig that names no cluster or user, or wrong ones.
    #[error("the kubeconfig cannot be used: {0}")]
    Unusable(#[source] KubeconfigError),
    /// A configuration of which no client can be made.
    #[error("no client can be made of the kubeconfig: {0}")]
    Client(#[from] kube::Error),
}

/// Makes a client from a kubeconfig in which everything is written out. What would run a program or read
/// a file of this process is refused: a token of our own must not be sent to a server that others name.
///
/// # Errors
/// When the kubeconfig cannot be used. The API server itself is not asked yet.
pub async fn from_foreign(kubeconfig: &[u8]) -> Result<Client, ForeignKubeconfigError> {
    let text = std::str::from_utf8(kubeconfig).map_err(|_| ForeignKubeconfigError::Unreadable)?;
    // The parser's error quotes what it could not read.
    let kubeconfig = Kubeconfig::from_yaml(text).map_err(|_| ForeignKubeconfigError::Unreadable)?;
    kubeconfig.clusters.iter().filter_map(|named| named.cluster.as_ref()).try_for_each(check_cluster)?;
    kubeconfig.auth_infos.iter().filter_map(|named| named.auth_info.as_ref()).try_for_each(check_user)?;
    let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await;
    let mut config = config.map_err(ForeignKubeconfigError::Unusable)?;
    config.connect_timeout = Some(CONNECT_TIMEOUT);
    (config.read_timeout, config.reset_reader_on_write) = (Some(READ_TIMEOUT), true);
    // Whoever runs that server is not to fill this process's memory.
    let limit = MapResponseLayer::new(|response: Response<_>| response.map(Limited::new));
    Ok(ClientBuilder::try_from(config)?.with_layer(&limit).build())
}

fn check_cluster(cluster: &Cluster) -> Result<(), ForeignKubeconfigError> {
    let instead = "write the certificate itself, as certificate-authority-data";
    refuse(cluster.certificate_authority.is_some(), "certificate-authority", instead)
}

fn check_user(user: &AuthInfo) -> Result<(), ForeignKubeconfigError> {
    let account = "use the token of a ServiceAccount";
    refuse(user.exec.is_some(), "exec", account)?;
    refuse(user.auth_provider.is_some(), "auth-provider", account)?;
    refuse(user.token_file.is_some(), "tokenFile", "write the token itself, as token")?;
    let instead = "write the certificate itself, as client-certificate-data";
    refuse(user.client_certificate.is_some(), "client-certificate", instead)?;
    refuse(user.client_key.is_some(), "client-key", "write the key itself, as client-key-data")
}

fn refuse(has: bool, field: &'static str, instead: &'static str) -> Result<(), ForeignKubeconfigError> {
    if has { Err(ForeignKubeconfigError::Refused { field, instead }) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn kubeconfig(change: impl FnOnce(&mut Value)) -> String {
        let mut value = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "east",
            "clusters": [{"name": "east", "cluster": {"server": "https://127.0.0.1:1"}}],
            "users": [{"name": "east", "user": {"token": "s3cret"}}],
            "contexts": [{"name": "east", "context": {"cluster": "east", "user": "east"}}],
        });
        change(&mut value);
        value.to_string()
    }

    #[tokio::test]
    async fn a_kubeconfig_with_everything_written_out_gives_a_client() {
        assert!(from_foreign(kubeconfig(|_| {}).as_bytes()).await.is_ok());
    }

    #[tokio::test]
    async fn what_would_run_a_program_or_read_a_file_here_is_refused() {
        for (field, value) in [
            ("exec", json!({"apiVersion": "client.authentication.k8s.io/v1", "command": "sh"})),
            ("auth-provider", json!({"name": "gcp", "config": {}})),
            ("tokenFile", json!("/var/run/secrets/kubernetes.io/serviceaccount/token")),
            ("client-certificate", json!("/etc/crt")),
            ("client-key", json!("/etc/key")),
        ] {
            let text = kubeconfig(|value_| value_["users"][0]["user"][field] = value);
            let error = from_foreign(text.as_bytes()).await.err().unwrap();
            assert!(
                matches!(error, ForeignKubeconfigError::Refused { field: f, .. } if f == field),
                "{field}: {error}"
            );
        }
        let text = kubeconfig(|value| value["clusters"][0]["cluster"]["certificate-authority"] = json!("/ca.crt"));
        assert!(from_foreign(text.as_bytes()).await.err().unwrap().to_string().contains("certificate-authority-data"));
    }

    #[tokio::test]
    async fn no_error_shows_the_credentials() {
        for text in [
            "users: [{name: east, user: {token: s3cret".to_owned(),
            "token: s3cret\nclusters: s3cret\n".to_owned(),
            kubeconfig(|value| value["current-context"] = json!("west")),
            kubeconfig(|value| value["clusters"][0]["cluster"]["server"] = json!("no url")),
            kubeconfig(|value| value["clusters"][0]["cluster"]["certificate-authority-data"] = json!("s3cret")),
        ] {
            let error = from_foreign(text.as_bytes()).await.err().map(|error| format!("{error} {error:?}"));
            assert!(error.as_ref().is_some_and(|error| !error.contains("s3cret")), "{text}: {error:?}");
        }
        assert!(from_foreign(&[0xff]).await.is_err());
    }
}
