//! Pods that want a certificate.

use std::sync::Arc;

use anyhow::Result;
use futures::{StreamExt, TryStreamExt};
use linkerd_proto::identity::CertifyRequest;
use linkerd_tests::cluster::Cluster;
use rcgen::{CertificateParams, DnType, KeyPair, PKCS_ECDSA_P256_SHA256};

/// Requests to the API server under way at once.
const WRITERS: usize = 32;

/// A pod with a token of its own. The key is its account's, because making keys takes long.
pub struct Pod {
    account: Arc<Account>,
    pub token: String,
}

pub struct Account {
    pub namespace: String,
    pub name: String,
    csr: Vec<u8>,
}

impl Account {
    fn make(namespace: &str, number: usize) -> Result<Arc<Self>> {
        let (namespace, name) = (namespace.to_owned(), format!("app-{number}"));
        let mut account = Self { namespace, name, csr: Vec::new() };
        let identity = account.identity();
        let mut params = CertificateParams::new(vec![identity.clone()])?;
        params.distinguished_name.push(DnType::CommonName, identity);
        account.csr = params.serialize_request(&KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?)?.der().to_vec();
        Ok(Arc::new(account))
    }

    fn identity(&self) -> String {
        format!("{}.{}.serviceaccount.identity.linkerd.cluster.local", self.name, self.namespace)
    }

    pub fn username(&self) -> String {
        format!("system:serviceaccount:{}:{}", self.namespace, self.name)
    }
}

impl Pod {
    pub fn request(&self) -> CertifyRequest {
        CertifyRequest {
            identity: self.account.identity(),
            token: self.token.clone().into_bytes(),
            certificate_signing_request: self.account.csr.clone(),
        }
    }

    pub fn account(&self) -> &Account {
        &self.account
    }
}

/// Pods whose tokens only a stub knows; as long as those of a cluster.
pub fn made_up(count: usize, accounts: usize) -> Result<Vec<Pod>> {
    let accounts: Vec<_> = (0..accounts).map(|number| Account::make("bench", number)).collect::<Result<_>>()?;
    let token = |number: usize| format!("{number:08}.{}.{}", "c".repeat(700), "s".repeat(342));
    let pod = |number: usize| Pod { account: accounts[number % accounts.len()].clone(), token: token(number) };
    Ok((0..count).map(pod).collect())
}

/// Pods with tokens that an API server signed.
pub async fn of_api_server(cluster: &Cluster, count: usize, accounts: usize) -> Result<Vec<Pod>> {
    let namespace = cluster.unique_namespace("identity-bench").await?;
    let accounts: Vec<_> = (0..accounts).map(|number| Account::make(&namespace, number)).collect::<Result<_>>()?;
    for account in &accounts {
        cluster.service_account(&namespace, &account.name).await?;
    }
    let pods = futures::stream::iter(0..count).map(|number| {
        let (cluster, account) = (cluster.clone(), accounts[number % accounts.len()].clone());
        async move {
            let token = cluster.token(&account.namespace, &account.name, &["identity.l5d.io"]).await?;
            anyhow::Ok(Pod { account, token })
        }
    });
    pods.buffer_unordered(WRITERS).try_collect().await
}
