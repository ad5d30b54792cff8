//! What code in front of object storage does with `strongroom::sse`: seals on the way in, opens on the way
//! out of a local folder.
//!
//! ```sh
//! strongroom key create --alias alias/store
//! object_proxy put FOLDER BUCKET/NAME x-amz-server-side-encryption:aws:kms \
//!     x-amz-server-side-encryption-aws-kms-key-id:alias/store < file
//! object_proxy get FOLDER BUCKET/NAME Range:bytes=0-99 > part
//! ```
//! `STRONGROOM_ENDPOINT` is the service, `http://127.0.0.1:4566` unless it says otherwise.

use std::error::Error;
use std::fs;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::Arc;

use strongroom::sse::{
    Arrival, BucketEncryption, Checksum, CustomerKey, Digests, Encryption, Envelope, GrpcKeys,
    Headers, Keyring, Limits, ObjectInfo, ObjectName, RangeOpener, RangeReader, Refusal, Requester,
    SealWriter, answer_customer, customer_key_for_reading,
};

const HERE: Arrival<'_> = Arrival { secure: true, signature_v4: true, region: "us-east-1" };

type Answer = Result<Vec<(&'static str, String)>, Box<dyn Error>>;

/// `PutObject`: the answer's headers.
async fn put(
    ring: &Keyring,
    who: &Requester,
    at: &Path,
    name: &ObjectName,
    headers: &Headers,
    mut body: impl Read,
) -> Answer {
    let asked = Encryption::for_writing(headers, &BucketEncryption::default(), HERE)?
        .ok_or("this bucket keeps nothing in clear")?;
    let (envelope, key) = ring.begin(&asked, name, who).await?;
    let digests = Digests::new(true, &[Checksum::Crc64Nvme]);
    let file = fs::File::create(at.with_extension("body"))?;
    let mut writer = SealWriter::new(file, key.seal_part(1)?, digests);
    io::copy(&mut body, &mut writer)?;
    let (file, sealed) = writer.finish()?;
    file.sync_all()?;
    let info = ObjectInfo::new(vec![sealed.part], sealed.digested)?;
    fs::write(at.with_extension("info"), info.seal(&key)?)?;
    fs::write(at.with_extension("envelope"), envelope.encode()?)?; // last: without it there is no object
    let mut answer = asked.answer(envelope.key_arn());
    answer.extend(info.etag(envelope.mode(), &key).map(|etag| ("etag", etag)));
    Ok(answer)
}

/// `GetObject`, of a range or all: the answer's headers; the body goes to `out`.
async fn get(
    ring: &Keyring,
    who: &Requester,
    at: &Path,
    name: &ObjectName,
    (headers, range): (&Headers, Option<(u64, Option<u64>)>),
    mut out: impl Write,
) -> Answer {
    let (envelope, _) = Envelope::parse(&fs::read(at.with_extension("envelope"))?)?;
    let customer = customer_key_for_reading(headers, Some(envelope.mode()), HERE)?;
    let key = Arc::new(ring.open(&envelope, name, customer.as_ref(), who).await?);
    let info = ObjectInfo::open(&fs::read(at.with_extension("info"))?, &key)?;
    let opener = match range {
        Some((first, last)) => {
            let positions = info.positions(first, last).ok_or("416 InvalidRange")?;
            RangeOpener::new(key, &info, positions)?
        }
        None => RangeOpener::whole(key, &info)?,
    };
    let mut file = fs::File::open(at.with_extension("body"))?;
    file.seek(SeekFrom::Start(opener.stored().start))?;
    io::copy(&mut RangeReader::new(file, opener), &mut out)?;
    Ok(customer
        .as_ref()
        .map_or_else(|| envelope.answer(), |key: &CustomerKey| answer_customer(key)))
}

#[tokio::main(flavor = "current_thread")]
#[expect(clippy::disallowed_methods, reason = "an example's one setting")]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [verb, folder, object, headers @ ..] = arguments.as_slice() else {
        return Err("put|get FOLDER BUCKET/NAME [HEADER:VALUE]…".into());
    };
    let (bucket, name) = object.split_once('/').ok_or("an object is BUCKET/NAME")?;
    let at = Path::new(folder).join(hex::encode(object));
    let name = ObjectName { bucket: bucket.to_owned(), name: name.to_owned() };
    let pairs: Vec<_> = headers.iter().filter_map(|header| header.split_once(':')).collect();
    let range = pairs.iter().find(|(name, _)| name.eq_ignore_ascii_case("range"));
    let range = range.and_then(|(_, value)| value.strip_prefix("bytes=")?.split_once('-'));
    let range = range
        .map(|(first, last)| Ok::<_, std::num::ParseIntError>((first.parse()?, last.parse().ok())));
    let headers = Headers::collect(pairs)?;

    let endpoint = std::env::var("STRONGROOM_ENDPOINT");
    let endpoint = endpoint.as_deref().unwrap_or("http://127.0.0.1:4566");
    let keys = Arc::new(GrpcKeys::connect(endpoint, 1)?);
    let who = Requester::new("whoever runs this", keys.clone());
    let ring = Keyring::new(keys, "alias/store", Limits::default());
    let answer = match verb.as_str() {
        "put" => put(&ring, &who, &at, &name, &headers, io::stdin().lock()).await,
        "get" => {
            let asked = (&headers, range.transpose()?);
            get(&ring, &who, &at, &name, asked, io::stdout().lock()).await
        }
        _ => Err("put or get".into()),
    };
    match answer {
        Ok(headers) => headers.iter().for_each(|(name, value)| eprintln!("{name}: {value}")),
        Err(error) => {
            let refusal =
                error.downcast_ref::<Refusal>().cloned().or_else(|| match error
                    .downcast_ref::<strongroom::sse::Error>(
                )? {
                    strongroom::sse::Error::Refused(refusal) => Some(refusal.clone()),
                    strongroom::sse::Error::Provider(error) => Some(Refusal::from(error)),
                    _ => None,
                });
            if let Some(refusal) = refusal {
                eprintln!("{} {}", refusal.status(), refusal.code());
            }
            return Err(error);
        }
    }
    Ok(())
}
