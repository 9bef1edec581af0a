//! Handlers for the tests: the seeds' two, and one for each way in which a job can go.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;
use windlass_core::Payload;
use windlass_dispatch::{Binary, Context, Error, Handler, Json, NoInput, Result, Text};
use windlass_http::Rejection;

#[derive(Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DataRequest {
    data: String,
    #[serde(default = "one")]
    processing_priority: i64,
}

fn one() -> i64 {
    1
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ProcessResult {
    processed_data: String,
    character_count: usize,
}

pub(crate) struct ProcessData;

impl ProcessData {
    /// The seeds' validation.
    pub(crate) async fn check(Json(request): Json<DataRequest>) -> std::result::Result<(), Rejection> {
        if request.data.trim().is_empty() {
            return Err(Rejection::bad_request("Data field is required"));
        }
        match request.processing_priority {
            1..=5 => Ok(()),
            _ => Err(Rejection::bad_request("Priority must be between 1 and 5")),
        }
    }
}

impl Handler for ProcessData {
    type Input = Json<DataRequest>;
    type Output = Json<ProcessResult>;
    const NAME: &'static str = "ProcessData";

    async fn run(&self, Json(request): Json<DataRequest>, _cx: Context) -> Result<Self::Output> {
        let processed_data = format!("Processed: {}", request.data.to_uppercase());
        Ok(Json(ProcessResult { processed_data, character_count: request.data.chars().count() }))
    }
}

/// A job without input that reads headers, route and query values.
pub(crate) struct GenerateReport;

impl Handler for GenerateReport {
    type Input = NoInput;
    type Output = Json<Value>;
    const NAME: &'static str = "GenerateReport";

    async fn run(&self, _input: NoInput, cx: Context) -> Result<Json<Value>> {
        let request = cx.request();
        Ok(Json(json!({ "headers": request.headers, "route": request.route, "query": request.query })))
    }
}

macro_rules! handler {
    ($name:ident: $input:ty => $output:ty, |$value:pat_param, $cx:ident| $run:expr) => {
        pub(crate) struct $name;

        impl Handler for $name {
            type Input = $input;
            type Output = $output;
            const NAME: &'static str = stringify!($name);

            async fn run(&self, $value: $input, $cx: Context) -> Result<$output> {
                $run
            }
        }
    };
}

handler!(Echo: Json<Value> => Json<Value>, |value, _cx| Ok(value));
handler!(Shout: Text => Text, |Text(text), _cx| Ok(Text(text.to_uppercase())));
handler!(Fetch: Binary => Binary, |Binary(bytes), _cx| Ok(Binary(bytes)));
handler!(Broken: NoInput => (), |_, _cx| Err(Error::permanent("no luck").code("NO_LUCK")));
handler!(Nothing: NoInput => (), |_, _cx| Ok(()));
handler!(Page: NoInput => Payload, |_, _cx| Ok(Payload::new("text/html", Bytes::from_static(b"<script>alert(1)</script>"))));
handler!(Stuck: NoInput => (), |_, cx| {
    cx.stopped().await;
    Err(Error::transient("asked to stop"))
});
