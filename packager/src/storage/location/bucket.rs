//! A prefix of an S3 bucket, with its endpoint and region from options or the environment.

use lectern::object::key::ObjectKey;
use reqwest::Url;

use super::{is_origin, is_private};
use crate::storage::credentials::variable;
use crate::storage::error::{LocationError, StorageError};

/// Objects below a directory of an S3 bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BucketAddress {
    pub(crate) scheme: &'static str,
    pub(crate) bucket: String,
    pub(crate) prefix: ObjectKey,
    /// `None` means Amazon's endpoint.
    pub(crate) endpoint: Option<String>,
    pub(crate) region: String,
}

impl BucketAddress {
    pub(super) fn r2(
        bucket: String,
        prefix: ObjectKey,
        endpoint: Option<&str>,
    ) -> Result<Self, StorageError> {
        let account = || {
            let account = variable("R2_ACCOUNT_ID").or_else(|| variable("CLOUDFLARE_ACCOUNT_ID"));
            account.map(|account| format!("https://{account}.r2.cloudflarestorage.com"))
        };
        let endpoint = endpoint.map(str::to_owned).or_else(account);
        let endpoint = endpoint.ok_or(StorageError::NoEndpoint("R2_ACCOUNT_ID"))?;
        Ok(Self {
            scheme: "r2",
            bucket,
            prefix,
            endpoint: Some(validate_endpoint(endpoint)?),
            region: "auto".to_owned(),
        })
    }

    pub(super) fn s3(
        bucket: String,
        prefix: ObjectKey,
        endpoint: Option<&str>,
    ) -> Result<Self, StorageError> {
        let set = || variable("AWS_ENDPOINT_URL_S3").or_else(|| variable("AWS_ENDPOINT_URL"));
        let endpoint = endpoint.map(str::to_owned).or_else(set);
        let region = variable("AWS_REGION").or_else(|| variable("AWS_DEFAULT_REGION"));
        Ok(Self {
            scheme: "s3",
            bucket,
            prefix,
            endpoint: endpoint.map(validate_endpoint).transpose()?,
            region: region.unwrap_or_else(|| "us-east-1".to_owned()),
        })
    }

    /// Bodies are protected by TLS or stay on this machine. Otherwise the signature covers their
    /// hash, at the cost of another pass over every byte for both sides.
    pub(crate) fn is_protected(&self) -> bool {
        let Some(endpoint) = &self.endpoint else {
            return true;
        };
        Url::parse(endpoint).is_ok_and(|url| is_private(&url))
    }

    /// Name of an object for the user.
    pub(crate) fn display_name(&self, path: &str) -> String {
        format!("{}://{}/{}/{path}", self.scheme, self.bucket, self.prefix)
    }
}

fn validate_endpoint(endpoint: String) -> Result<String, LocationError> {
    match is_origin(&endpoint) {
        true => Ok(endpoint.trim_end_matches('/').to_owned()),
        false => Err(LocationError::BadEndpoint(endpoint)),
    }
}

#[cfg(test)]
mod tests {
    use crate::storage::location::Location;
    use crate::storage::location::tests::at;

    #[test]
    fn buckets_have_an_endpoint() {
        let r2 = |endpoint| match Location::parse("r2://video/courses/caf%C3%A9/", &at(endpoint)) {
            Ok(Location::Bucket(address)) => format!(
                "{} {} {}",
                address.display_name("v/1/a"),
                address.endpoint.unwrap_or_default(),
                address.region
            ),
            Ok(other) => panic!("{other:?}"),
            Err(error) => error.to_string(),
        };
        for (endpoint, expected) in [
            (
                "http://localhost:9000/",
                "r2://video/courses/café/v/1/a http://localhost:9000 auto",
            ),
            (
                "localhost:9000",
                "`localhost:9000` is no endpoint such as `https://s3.example`",
            ),
            (
                "https://s3.example/bucket",
                "`https://s3.example/bucket` is no endpoint such as `https://s3.example`",
            ),
        ] {
            assert_eq!(r2(Some(endpoint)), expected);
        }
        for (endpoint, expected) in [
            ("https://s3.example", true),
            ("http://127.0.0.1:9000", true),
            ("http://[::1]:9000", true),
            ("http://s3.example", false),
            ("http://localhost.example", false),
        ] {
            let place = Location::parse("s3://b/a", &at(Some(endpoint))).expect("a target");
            let Location::Bucket(address) = place else {
                panic!("{place:?}");
            };
            assert_eq!(address.is_protected(), expected, "{endpoint}");
        }
        let edge = Location::parse("https://edge.example/a", &at(Some("http://localhost")));
        let expected = edge.expect_err("no bucket").to_string();
        assert_eq!(expected, "--endpoint is for `r2://` and `s3://` targets");
    }
}
