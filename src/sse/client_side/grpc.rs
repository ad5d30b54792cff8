//! [`DataKeys`] of this project's service, over gRPC.

use std::future::Future;

use tonic::client::GrpcService;
use tonic::codegen::{Body, Bytes, StdError};
use tonic::{Code, Status};
use tonic_types::StatusExt;
use zeroize::Zeroizing;

use super::Error;
use super::description::Description;
use super::kms::DataKeys;
use crate::crypto::SecretKey;
use crate::proto::v1;
use crate::proto::v1::data_keys_client::DataKeysClient;

impl<T> DataKeys for DataKeysClient<T>
where
    T: GrpcService<tonic::body::Body> + Send,
    T::Error: Into<StdError>,
    T::Future: Send,
    T::ResponseBody: Body<Data = Bytes> + Send + 'static,
    <T::ResponseBody as Body>::Error: Into<StdError> + Send,
{
    fn generate(
        &mut self,
        key_id: &str,
        context: &Description,
    ) -> impl Future<Output = Result<(SecretKey, Vec<u8>), Error>> + Send {
        let request = v1::GenerateDataKeyRequest {
            key_id: key_id.to_owned(),
            key_spec: "AES_256".to_owned(),
            encryption_context: context.clone().into_iter().collect(),
            ..Default::default()
        };
        async move {
            let made = self.generate_data_key(request).await.map_err(refused)?.into_inner();
            Ok((secret(made.plaintext)?, made.ciphertext_blob))
        }
    }

    fn decrypt(
        &mut self,
        key_id: &str,
        blob: &[u8],
        context: &Description,
    ) -> impl Future<Output = Result<SecretKey, Error>> + Send {
        let request = v1::DecryptRequest {
            ciphertext_blob: blob.to_vec(),
            encryption_context: context.clone().into_iter().collect(),
            key_id: key_id.to_owned(),
            ..Default::default()
        };
        async move {
            secret(Self::decrypt(self, request).await.map_err(refused)?.into_inner().plaintext)
        }
    }
}

/// The data key out of a message, whose copy is wiped.
fn secret(bytes: Vec<u8>) -> Result<SecretKey, Error> {
    let bytes = Zeroizing::new(bytes);
    Ok(SecretKey::from_slice(&bytes)?)
}

/// A blob that does not open is the object's fault, whatever else the service says its own.
fn refused(status: Status) -> Error {
    let reason = status.get_details_error_info().map(|info| info.reason);
    match (status.code(), reason.as_deref()) {
        (Code::InvalidArgument, Some("InvalidCiphertextException")) => Error::Open,
        _ => Error::Keys(Box::new(status)),
    }
}
