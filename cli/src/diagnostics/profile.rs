//! `linkerd diagnostics profile`.

use super::{
    LIMIT, PodArgs,
    connect::{self, Api},
    dump::Dump as _,
    status::{no_answer, rpc_error},
};
use crate::{
    failure::{Bare, exactly},
    global::Global,
    output,
    sandbox::runtime,
};
use linkerd_proto::destination::{DestinationProfile, GetDestination, destination_client::DestinationClient};
use tonic::{Status, transport::Channel};

/// Show the profile of an address
///
/// A profile says how traffic to an address is handled: the name of the Service, routes, whether the
/// protocol is detected. The address is what an application connects to: HOST:PORT or IP:PORT.
#[derive(Debug, clap::Args)]
#[command(
    override_usage = "linkerd diagnostics profile [OPTIONS] ADDRESS",
    after_help = "Example:\n  linkerd diagnostics profile web-svc.emojivoto.svc.cluster.local:80"
)]
pub struct ProfileArgs {
    /// HOST:PORT or IP:PORT
    #[arg(value_name = "ADDRESS")]
    address: Vec<String>,
    /// Context token, with which a proxy tells who asks, such as ns:emojivoto
    #[arg(long, default_value = "", hide_default_value = true)]
    token: String,
    #[command(flatten)]
    pod: PodArgs,
}

/// Prints the profile.
///
/// # Errors
/// When the API cannot be reached, or refuses, or does not answer in time.
pub async fn run(args: ProfileArgs, global: &Global) -> anyhow::Result<()> {
    let [address] = exactly(args.address)?;
    let target = connect::find(global, Api::Destination, args.pod.name(), runtime::running).await;
    let target = target.map_err(|error| Bare::line(format_args!("Error creating destination client: {error:#}")))?;
    let failed = |error: String| Bare::line(format_args!("Destination API error: {error}"));
    let channel = target.connect(Api::Destination).await.map_err(failed)?;
    let request = GetDestination { path: address, context_token: args.token, ..GetDestination::default() };
    let profile = first(channel, request).await.map_err(|status| failed(rpc_error(&status)))?;
    output::print(&output::json(&profile.dump())?)
}

async fn first(channel: Channel, request: GetDestination) -> Result<DestinationProfile, Status> {
    let profile = async {
        let mut profiles = DestinationClient::new(channel).get_profile(request).await?.into_inner();
        profiles.message().await?.ok_or_else(|| Status::unavailable("the stream ended without a profile"))
    };
    tokio::time::timeout(LIMIT, profile).await.unwrap_or_else(|_| Err(no_answer(LIMIT)))
}
