//! `linkerd diagnostics endpoints`.

mod rows;

use self::rows::{Endpoints, Row};
use super::{
    LIMIT, PodArgs,
    connect::{self, Api},
    status::message,
};
use crate::{failure::Bare, global::Global, output, sandbox::runtime};
use anyhow::bail;
use futures::{
    StreamExt as _, TryStreamExt as _,
    stream::{self, BoxStream},
};
use linkerd_proto::destination::{GetDestination, Update, destination_client::DestinationClient};
use std::time::Duration;
use tokio::time::{Instant, timeout_at};
use tonic::{Status, transport::Channel};

/// How long all streams are silent before what they said is taken for all there is.
const QUIET: Duration = Duration::from_millis(200);

/// Show where requests to a Service go
///
/// An authority is what an application sends requests to, with the full name of the Service.
#[derive(Debug, clap::Args)]
#[command(
    override_usage = "linkerd diagnostics endpoints [OPTIONS] AUTHORITY...",
    after_help = "Example:\n  linkerd diagnostics endpoints web-svc.emojivoto.svc.cluster.local:80"
)]
pub struct EndpointsArgs {
    /// SERVICE.NAMESPACE.svc.DOMAIN:PORT, one or several
    #[arg(value_name = "AUTHORITY")]
    authorities: Vec<String>,
    /// Form of the output: table or json
    #[arg(long, short, value_name = "FORMAT", default_value = "table")]
    output: String,
    /// Context token, with which a proxy tells who asks, such as ns:emojivoto
    #[arg(long, default_value = "", hide_default_value = true)]
    token: String,
    #[command(flatten)]
    pod: PodArgs,
}

/// Prints the endpoints.
///
/// # Errors
/// When the API cannot be reached, or refuses one of the authorities, or does not answer in time.
pub async fn run(args: EndpointsArgs, global: &Global) -> anyhow::Result<()> {
    let is_table = match args.output.as_str() {
        "table" => true,
        "json" => false,
        _ => bail!("--output currently only supports table and json"),
    };
    if args.authorities.is_empty() {
        bail!("requires at least 1 arg(s), only received 0");
    }
    let target = connect::find(global, Api::Destination, args.pod.name(), runtime::running).await;
    let target = target.map_err(|error| Bare::line(format_args!("Error creating destination client: {error:#}")))?;
    let failed = |error: String| Bare::line(format_args!("Destination API error: {error}"));
    let channel = target.connect(Api::Destination).await.map_err(failed)?;
    let rows = collect(channel, &args.authorities, &args.token).await.map_err(failed)?;
    match (is_table, rows.is_empty()) {
        (false, _) => output::print(&output::json(&rows)?),
        (true, false) => output::print(&rows::table(&rows)),
        (true, true) => {
            eprintln!("No endpoints found.");
            Ok(())
        }
    }
}

/// What a stream says.
enum Event {
    Update(Update),
    End,
}

type Events = BoxStream<'static, Result<(usize, Event), Status>>;

/// The endpoints of every authority, sorted.
async fn collect(channel: Channel, authorities: &[String], token: &str) -> Result<Vec<Row>, String> {
    let streams = authorities.iter().enumerate().map(|(i, authority)| {
        let request =
            GetDestination { scheme: "http:".to_owned(), path: authority.clone(), context_token: token.to_owned() };
        watch(i, DestinationClient::new(channel.clone()), request)
    });
    let mut events = stream::select_all(streams);
    let mut answers: Vec<Option<Endpoints>> = vec![None; authorities.len()];
    let deadline = Instant::now() + LIMIT;
    let mut quiet = deadline;
    while let Ok(Some(event)) = timeout_at(quiet, events.next()).await {
        let (i, event) = event.map_err(|status| message(&status))?;
        let answer = answers[i].get_or_insert_default();
        if let Event::Update(update) = event {
            tracing::debug!(authority = authorities[i], ?update, "update");
            answer.apply(update);
        }
        if answers.iter().all(Option::is_some) {
            quiet = deadline.min(Instant::now() + QUIET);
        }
    }
    let mut rows = Vec::new();
    for (answer, authority) in answers.into_iter().zip(authorities) {
        let answer = answer.ok_or_else(|| format!("no answer for {authority} within {} s", LIMIT.as_secs()))?;
        rows.extend(answer.into_rows());
    }
    rows.sort_by(|a, b| a.order().cmp(&b.order()));
    Ok(rows)
}

fn watch(i: usize, mut client: DestinationClient<Channel>, request: GetDestination) -> Events {
    let updates = stream::once(async move { client.get(request).await.map(tonic::Response::into_inner) });
    let updates = updates.try_flatten().map_ok(Event::Update);
    updates.chain(stream::once(async { Ok(Event::End) })).map_ok(move |event| (i, event)).boxed()
}
