//! Lists: the objects that R2 names below a directory, as JSON.

use web_sys::Response;

use super::r2::R2Bucket;
use super::responder::{Responder, ResponseBody, failed};
use crate::http::problem::Refusal;
use crate::operation::list::List;

pub(super) async fn list(
    list: &List,
    bucket: &R2Bucket,
    responder: &Responder,
) -> Result<Response, Refusal> {
    let page = bucket.list(list).await;
    let page = page.map_err(|error| Refusal::new(error.problem(), error))?;
    let headers = vec![
        ("Content-Type", "application/json".to_owned()),
        ("Cache-Control", "no-store".to_owned()),
    ];
    responder
        .send(200, headers, ResponseBody::Text(page.json()))
        .map_err(failed)
}
