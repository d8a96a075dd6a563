//! Secrets that name clusters and hold the credentials to reach them.

use base64::{Engine, prelude::BASE64_STANDARD};
use linkerd_k8s::{Meta, Resource, meta::null_is_default};
use serde::{Deserialize, Deserializer, de::Error};
use std::{fmt, sync::Arc};

/// Type of the Secrets.
pub const SECRET_TYPE: &str = "mirror.linkerd.io/remote-kubeconfig";
/// Label that names the cluster.
pub const CLUSTER_NAME: &str = "multicluster.linkerd.io/cluster-name";
/// Annotation with the domain of the cluster's mesh identities.
pub const TRUST_DOMAIN: &str = "multicluster.linkerd.io/trust-domain";
/// Annotation with the DNS domain of the cluster.
pub const CLUSTER_DOMAIN: &str = "multicluster.linkerd.io/cluster-domain";

/// A Secret, of whose data only the kubeconfig is read.
#[derive(Clone, Deserialize)]
#[serde(default)]
#[derive(Default)]
pub struct Secret {
    /// Metadata.
    pub metadata: Meta,
    /// Type.
    #[serde(rename = "type", deserialize_with = "null_is_default")]
    pub type_: String,
    /// Data.
    #[serde(deserialize_with = "null_is_default")]
    pub data: Data,
}

/// Data of a Secret.
#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub struct Data {
    /// A kubeconfig.
    #[serde(deserialize_with = "base64")]
    pub kubeconfig: Vec<u8>,
}

fn base64<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?.unwrap_or_default();
    // The decoder's own error shows a byte of the text.
    BASE64_STANDARD.decode(text).map_err(|_| D::Error::custom("not base64"))
}

/// What is secret is not shown.
impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secret").field("id", &self.id()).field("type", &self.type_).finish_non_exhaustive()
    }
}

impl Resource for Secret {
    const GROUP: &'static str = "";
    const VERSION: &'static str = "v1";
    const KIND: &'static str = "Secret";
    const PLURAL: &'static str = "secrets";

    fn meta(&self) -> &Meta {
        &self.metadata
    }
}

/// What a Secret says of a cluster.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// Name of the cluster.
    pub cluster: Arc<str>,
    /// Domain of its mesh identities.
    pub trust_domain: String,
    /// Its DNS domain.
    pub cluster_domain: String,
    /// How it is reached.
    pub kubeconfig: Vec<u8>,
}

/// What is secret is not shown.
impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("cluster", &self.cluster).finish_non_exhaustive()
    }
}

/// Why a Secret names no cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotACluster {
    /// Another type.
    #[error("its type is not {SECRET_TYPE}")]
    Type,
    /// No name.
    #[error("it lacks the label {CLUSTER_NAME}")]
    Name,
    /// No domain of identities.
    #[error("it lacks the annotation {TRUST_DOMAIN}")]
    TrustDomain,
    /// No DNS domain.
    #[error("it lacks the annotation {CLUSTER_DOMAIN}")]
    ClusterDomain,
    /// No kubeconfig.
    #[error("its data lacks the key kubeconfig")]
    Kubeconfig,
}

impl Credentials {
    /// What a Secret says.
    ///
    /// # Errors
    /// What it lacks first.
    pub fn read(secret: Secret) -> Result<Self, NotACluster> {
        let Secret { metadata, type_, data } = secret;
        if type_ != SECRET_TYPE {
            return Err(NotACluster::Type);
        }
        let given = |value: Option<&str>| value.filter(|value| !value.is_empty()).map(str::to_owned);
        let cluster = given(metadata.label(CLUSTER_NAME)).ok_or(NotACluster::Name)?;
        let trust_domain = given(metadata.annotation(TRUST_DOMAIN)).ok_or(NotACluster::TrustDomain)?;
        let cluster_domain = given(metadata.annotation(CLUSTER_DOMAIN)).ok_or(NotACluster::ClusterDomain)?;
        if data.kubeconfig.is_empty() {
            return Err(NotACluster::Kubeconfig);
        }
        Ok(Self { cluster: cluster.into(), trust_domain, cluster_domain, kubeconfig: data.kubeconfig })
    }
}
