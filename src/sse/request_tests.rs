//! What S3 says to requests' headers: tables, a row a case.
//!
//! "recorded" rows are AWS's own answers; the others are documented, or other servers'.

use proptest::prelude::*;

use super::*;

const KEY: &str = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";
const KEY_MD5: &str = "hRasmdxgYDKV3nvbahU1MA==";
const OTHER_MD5: &str = "BzhnfZkAIXGUkXKZmdS/8A==";
const ARN: &str = "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";
const HERE: Arrival<'_> = Arrival { secure: true, signature_v4: true, region: "eu-west-1" };

const MODE: &str = "x-amz-server-side-encryption";
const KEY_ID: &str = "x-amz-server-side-encryption-aws-kms-key-id";
const CONTEXT: &str = "x-amz-server-side-encryption-context";
const BUCKET_KEY: &str = "x-amz-server-side-encryption-bucket-key-enabled";
const C_ALGORITHM: &str = "x-amz-server-side-encryption-customer-algorithm";
const C_KEY: &str = "x-amz-server-side-encryption-customer-key";
const C_MD5: &str = "x-amz-server-side-encryption-customer-key-MD5";

type Pairs<'a> = &'a [(&'a str, &'a str)];
/// Code, status, beginning of the message, `ArgumentName` and `ArgumentValue`.
type Said<'a> = (&'a str, u16, &'a str, Option<(&'a str, Option<&'a str>)>);

fn collected(pairs: Pairs<'_>) -> Headers {
    Headers::collect(pairs.iter().copied()).unwrap()
}

fn says<T: std::fmt::Debug>(answer: Result<T, Refusal>, said: Said<'_>, row: &dyn std::fmt::Debug) {
    let refusal = answer.unwrap_err();
    let (code, status, message, argument) = said;
    assert_eq!((refusal.code().as_str(), refusal.status()), (code, status), "{row:?}");
    assert!(refusal.to_string().contains(message), "{row:?}: {refusal}");
    assert_eq!(refusal.argument(), argument, "{row:?}");
}

fn write(pairs: Pairs<'_>, bucket: &BucketEncryption) -> Result<Option<Encryption>, Refusal> {
    Encryption::for_writing(&collected(pairs), bucket, HERE)
}

/// The prefix of what is said about customer keys' headers, and the argument that AWS names with it.
const NULL: Option<(&str, Option<&str>)> = Some((MODE, Some("null")));
const SECRET_INVALID: Said<'_> =
    ("InvalidArgument", 400, "The secret key was invalid for the specified algorithm.", NULL);
const MD5_WRONG: Said<'_> = (
    "InvalidArgument",
    400,
    "The calculated MD5 hash of the key did not match the hash that was provided.",
    NULL,
);
const NO_ALGORITHM: Said<'_> =
    ("InvalidArgument", 400, "must provide a valid encryption algorithm.", NULL);
const NO_KEY: Said<'_> = ("InvalidArgument", 400, "must provide an appropriate secret key.", NULL);
const INSECURE: Said<'_> = ("InvalidRequest", 400, "must be made over a secure connection.", None);

fn bad_algorithm(value: &str) -> Said<'_> {
    let message = "The Encryption request you specified is not valid. Supported value: AES256.";
    ("InvalidEncryptionAlgorithmError", 400, message, Some((MODE, Some(value))))
}

#[test]
fn what_writing_refuses() {
    let whole = [(C_ALGORITHM, "AES256"), (C_KEY, KEY), (C_MD5, KEY_MD5)];
    let with = |more: (&'static str, &'static str)| [&whole[..], &[more]].concat();
    let [aes, kms] = [with((MODE, "AES256")), with((MODE, "aws:kms"))];
    let key_too = with((KEY_ID, "alias/app"));
    let incompatible = |value: &'static str| -> Said<'static> {
        let message = "Server Side Encryption with Customer provided key is incompatible with the \
                       encryption method specified";
        ("InvalidArgument", 400, message, Some((MODE, Some(value))))
    };
    let needs_kms = |value: &'static str| -> Said<'static> {
        ("InvalidArgument", 400, "requires HTTP header", Some((MODE, Some(value))))
    };
    let unknown = |value: &'static str| -> Said<'static> {
        let message = "The encryption method specified is not supported";
        ("InvalidArgument", 400, message, Some((MODE, Some(value))))
    };
    let context: Said<'_> =
        ("InvalidArgument", 400, "shall be Base64-encoded", Some((CONTEXT, None)));
    let not_found =
        |message: &'static str| -> Said<'static> { ("KMS.NotFoundException", 400, message, None) };
    let rows: &[(Pairs<'_>, Said<'_>)] = &[
        // Recorded.
        (&aes, incompatible("AES256")),
        (&kms, incompatible("aws:kms")),
        (&[(C_ALGORITHM, "AES512"), (C_KEY, KEY), (C_MD5, KEY_MD5)], bad_algorithm("AES512")),
        (&[(C_ALGORITHM, "aws:kms"), (C_KEY, KEY), (C_MD5, KEY_MD5)], bad_algorithm("aws:kms")),
        (&[(C_ALGORITHM, ""), (C_KEY, KEY), (C_MD5, KEY_MD5)], bad_algorithm("")),
        (&[(C_KEY, KEY), (C_MD5, KEY_MD5)], NO_ALGORITHM),
        (&[(C_MD5, KEY_MD5)], NO_ALGORITHM),
        (&[(C_ALGORITHM, "AES256")], NO_KEY),
        (&[(C_ALGORITHM, "AES256"), (C_MD5, KEY_MD5)], NO_KEY),
        (&[(C_ALGORITHM, "AES256"), (C_KEY, KEY)], SECRET_INVALID),
        (&[(C_ALGORITHM, "AES256"), (C_KEY, "AAAA"), (C_MD5, KEY_MD5)], SECRET_INVALID),
        (&[(C_ALGORITHM, "AES256"), (C_KEY, "no base64!"), (C_MD5, KEY_MD5)], SECRET_INVALID),
        (&[(C_ALGORITHM, "AES256"), (C_KEY, ""), (C_MD5, KEY_MD5)], SECRET_INVALID),
        (&[(C_ALGORITHM, "AES256"), (C_KEY, KEY), (C_KEY, KEY), (C_MD5, KEY_MD5)], SECRET_INVALID),
        (&[(C_ALGORITHM, "AES256"), (C_KEY, KEY), (C_MD5, OTHER_MD5)], MD5_WRONG),
        (&[(C_ALGORITHM, "AES256"), (C_KEY, KEY), (C_MD5, "")], MD5_WRONG),
        (&[(MODE, "aws:kms"), (KEY_ID, "no-key")], not_found("Invalid keyId 'no-key'")),
        (&[(MODE, "aws:kms:dsse"), (KEY_ID, "")], not_found("Invalid keyId ''")),
        (
            &[(MODE, "aws:kms"), (KEY_ID, "arn:aws:kms:us-east-1:111122223333:alias/app")],
            not_found("Invalid arn us-east-1"),
        ),
        // Documented.
        (&key_too, needs_kms("null")),
        (&[(KEY_ID, ARN)], needs_kms("null")),
        (&[(CONTEXT, "e30=")], needs_kms("null")),
        (&[(MODE, "AES256"), (KEY_ID, ARN)], needs_kms("AES256")),
        (&[(MODE, "AES256"), (CONTEXT, "e30=")], needs_kms("AES256")),
        (&[(MODE, "aes256")], unknown("aes256")),
        (&[(MODE, "aws:fsx")], unknown("aws:fsx")),
        (&[(MODE, "")], unknown("")),
        (&[(MODE, "AES256"), (MODE, "aws:kms")], unknown("AES256,aws:kms")),
        (&[(MODE, "aws:kms"), (CONTEXT, "{}")], context),
        (&[(MODE, "aws:kms"), (CONTEXT, "W10=")], context), // []
        (&[(MODE, "aws:kms"), (CONTEXT, "eyJhIjoxfQ==")], context), // {"a":1}
        (&[(MODE, "aws:kms"), (CONTEXT, "eyIiOiJ4In0=")], context), // {"":"x"}
        (&[(MODE, "aws:kms"), (CONTEXT, "eyJhd3M6czM6YXJuIjoieCJ9")], context), // aws:s3:arn
        (
            &[(MODE, "aws:kms"), (BUCKET_KEY, "yes")],
            ("InvalidArgument", 400, "true or false", Some((BUCKET_KEY, Some("yes")))),
        ),
        (
            &[(MODE, "aws:kms:dsse"), (BUCKET_KEY, "true")],
            ("InvalidArgument", 400, "DSSE-KMS", Some((BUCKET_KEY, Some("true")))),
        ),
    ];
    // A bucket's default is no excuse.
    let kms_bucket = BucketEncryption::rule("aws:kms", Some(ARN), true).unwrap();
    for bucket in [BucketEncryption::off(), BucketEncryption::default(), kms_bucket] {
        for (headers, said) in rows {
            says(write(headers, &bucket), *said, headers);
        }
    }
    let plain = Arrival { secure: false, ..HERE };
    let bucket = BucketEncryption::default();
    says(Encryption::for_writing(&collected(&whole), &bucket, plain), INSECURE, &"plain HTTP");
    let blocked = bucket.block_customer_keys(true);
    says(write(&whole, &blocked), ("AccessDenied", 403, "Access Denied", None), &"blocked");
    let long = "x".repeat(Headers::MAX_VALUE_LEN);
    assert!(Headers::collect([(CONTEXT, &long)]).is_ok());
    let twice = Headers::collect([(CONTEXT, &long), (CONTEXT, &long)]);
    let said = ("RequestHeaderSectionTooLarge", 400, "exceeds the maximum allowed", None);
    says(twice, said, &"long");
}

#[test]
fn what_buckets_refuse() {
    let message = "a KMSMasterKeyID is not applicable if the default sse algorithm is not aws:kms or \
                   aws:kms:dsse";
    let argument = Some(("ApplyServerSideEncryptionByDefault", None));
    let said = ("InvalidArgument", 400, message, argument);
    says(BucketEncryption::rule("AES256", Some(ARN), false), said, &"recorded");
    assert!(BucketEncryption::rule("aws:fsx", None, false).is_err());
}

#[test]
fn what_reading_refuses() {
    let whole = [(C_ALGORITHM, "AES256"), (C_KEY, KEY), (C_MD5, KEY_MD5)];
    let needs_key: Said<'_> =
        ("InvalidRequest", 400, "The object was stored using a form of", None);
    let wrong_key: Said<'_> = ("AccessDenied", 403, "must provide the correct secret key.", None);
    let on_read = |value: &'static str| -> Said<'static> {
        ("InvalidArgument", 400, "is not supported for this operation", Some((MODE, Some(value))))
    };
    let in_clear: Said<'_> = (
        "InvalidRequest",
        400,
        "The encryption parameters are not applicable to this object.",
        None,
    );
    let c = Some(Mode::Customer);
    let rows: &[(Pairs<'_>, Option<Mode>, Said<'_>)] = &[
        // Recorded.
        (&[], c, needs_key),
        (&[(C_ALGORITHM, "AES128"), (C_KEY, KEY), (C_MD5, KEY_MD5)], c, bad_algorithm("AES128")),
        (&[(C_KEY, KEY), (C_MD5, KEY_MD5)], c, NO_ALGORITHM),
        (&[(C_ALGORITHM, "AES256")], c, NO_KEY),
        (&[(C_ALGORITHM, "AES256"), (C_KEY, KEY)], c, wrong_key),
        (&[(C_ALGORITHM, "AES256"), (C_KEY, "AAAA"), (C_MD5, KEY_MD5)], c, SECRET_INVALID),
        (&[(C_ALGORITHM, "AES256"), (C_KEY, KEY), (C_MD5, OTHER_MD5)], c, MD5_WRONG),
        // Documented.
        (&whole, Some(Mode::S3), in_clear),
        (&whole, Some(Mode::Kms), in_clear),
        (&whole, None, in_clear),
        (&[(MODE, "AES256")], Some(Mode::S3), on_read("AES256")),
        (&[(MODE, "aws:kms")], Some(Mode::Kms), on_read("aws:kms")),
    ];
    for (headers, mode, said) in rows {
        let headers = collected(headers);
        says(customer_key_for_reading(&headers, *mode, HERE), *said, &(&headers, mode));
    }
    // A copy's source says the same to the same, under its own names.
    for (headers, mode, said) in
        rows.iter().filter(|(headers, ..)| headers.iter().all(|h| h.0 != MODE))
    {
        let named = |name: &str| name.replace("x-amz-", "x-amz-copy-source-");
        let headers: Vec<_> = headers.iter().map(|(name, value)| (named(name), *value)).collect();
        let headers = Headers::collect(headers).unwrap();
        says(customer_key_for_copying(&headers, *mode, HERE), *said, &(&headers, mode));
    }
    let plain = Arrival { secure: false, ..HERE };
    says(customer_key_for_reading(&collected(&whole), c, plain), INSECURE, &"plain HTTP");
    let unsigned = Arrival { signature_v4: false, ..HERE };
    let said = ("InvalidArgument", 400, "require AWS Signature Version 4.", None);
    for mode in [Mode::Kms, Mode::Dsse] {
        says(customer_key_for_reading(&collected(&[]), Some(mode), unsigned), said, &mode);
    }
    assert!(customer_key_for_reading(&collected(&[]), Some(Mode::S3), unsigned).unwrap().is_none());
}

#[test]
fn what_parts_refuse() {
    let whole = [(C_ALGORITHM, "AES256"), (C_KEY, KEY), (C_MD5, KEY_MD5)];
    let parameters: Said<'_> =
        ("InvalidRequest", 400, "The multipart upload initiate requested encryption.", None);
    let rows: &[(Pairs<'_>, Option<Mode>, Said<'_>)] = &[
        (&whole, Some(Mode::Kms), parameters),
        (&whole, None, parameters),
        (&[], Some(Mode::Customer), parameters),
        (&[(C_ALGORITHM, "AES256"), (C_KEY, KEY)], Some(Mode::Customer), SECRET_INVALID),
    ];
    for (headers, mode, said) in rows {
        says(customer_key_for_part(&collected(headers), *mode, HERE), *said, headers);
    }
    let key = customer_key_for_part(&collected(&whole), Some(Mode::Customer), HERE).unwrap();
    assert_eq!(key.unwrap().md5(), KEY_MD5);
    assert!(customer_key_for_part(&collected(&[]), Some(Mode::Kms), HERE).unwrap().is_none());
}

/// Headers, the bucket's default, and the answer's headers.
#[test]
fn what_is_asked_for_is_what_the_answer_says() {
    let off = BucketEncryption::off();
    let kms = BucketEncryption::rule("aws:kms", Some("alias/bucket"), true).unwrap();
    let dsse = BucketEncryption::rule("aws:kms:dsse", None, true).unwrap();
    let s3 = BucketEncryption::default();
    let aes = [(MODE, "AES256")];
    let key_kms = [(MODE, "aws:kms"), (KEY_ID, ARN)];
    let key_dsse = [(MODE, "aws:kms:dsse"), (KEY_ID, ARN)];
    let with_key = [key_kms[0], key_kms[1], (BUCKET_KEY, "true")];
    let customer = [(C_ALGORITHM, "AES256"), (C_MD5, KEY_MD5)];
    let shouted = [("X-Amz-Server-Side-Encryption", " aws:kms "), ("Host", "bucket")];
    let rows: &[(Pairs<'_>, &BucketEncryption, &str, Pairs<'_>)] = &[
        (&[], &s3, "", &aes),
        (&[], &kms, "alias/bucket", &with_key),
        (&[(BUCKET_KEY, "false")], &kms, "alias/bucket", &key_kms),
        (&[], &dsse, "alias/aws/s3", &key_dsse),
        (&aes, &kms, "", &aes),
        (&[(MODE, "AES256"), (BUCKET_KEY, "true")], &s3, "", &aes),
        (&[(MODE, "aws:kms")], &s3, "alias/aws/s3", &key_kms),
        (&shouted, &off, "alias/aws/s3", &key_kms),
        (&[(MODE, "aws:kms"), (KEY_ID, "alias/app")], &kms, "alias/app", &with_key),
        (&[(MODE, "aws:kms"), (KEY_ID, ARN), (BUCKET_KEY, "True")], &s3, ARN, &with_key),
        (&[(MODE, "aws:kms:dsse"), (KEY_ID, ARN)], &kms, ARN, &key_dsse),
        (&[(C_ALGORITHM, "AES256"), (C_KEY, KEY), (C_MD5, KEY_MD5)], &kms, "", &customer),
    ];
    for (headers, bucket, id, answer) in rows {
        let encryption = write(headers, bucket).unwrap().unwrap();
        let named = match &encryption {
            Encryption::Kms { key, .. } | Encryption::Dsse(key) => key.id.as_str(),
            Encryption::S3 | Encryption::Customer(_) => "",
        };
        assert_eq!(named, *id, "{headers:?}");
        let expected: Vec<_> =
            answer.iter().map(|(name, value)| (name.to_lowercase(), (*value).to_owned())).collect();
        let found: Vec<_> = encryption
            .answer(ARN)
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect();
        assert_eq!(found, expected, "{headers:?}");
    }
    assert!(write(&[], &off).unwrap().is_none());
    // {"case":"7"}
    let asked = write(&[(MODE, "aws:kms"), (CONTEXT, "eyJjYXNlIjoiNyJ9")], &s3).unwrap();
    let Some(Encryption::Kms { key, .. }) = asked else { panic!("{asked:?}") };
    assert_eq!(key.context.into_iter().collect::<Vec<_>>(), [("case".to_owned(), "7".to_owned())]);
}

#[test]
fn a_customer_key_is_not_printed() {
    let headers = collected(&[(C_ALGORITHM, "AES256"), (C_KEY, KEY), (C_MD5, KEY_MD5)]);
    let bucket = BucketEncryption::default();
    let asked = Encryption::for_writing(&headers, &bucket, HERE).unwrap();
    let printed = format!("{headers:?} {asked:?}");
    assert!(!printed.contains(KEY) && !printed.contains("48, 49, 50"), "{printed}");
}

proptest! {
    #[test]
    fn no_headers_make_the_parser_panic(
        values in prop::collection::vec((0..10_usize, prop::collection::vec(any::<u8>(), 0..60)), 0..8),
    ) {
        let pairs = values.iter().map(|(header, value)| (Header::ALL[*header].name(), value));
        let headers = Headers::collect(pairs).unwrap();
        let _ = Encryption::for_writing(&headers, &BucketEncryption::default(), HERE);
        let _ = customer_key_for_reading(&headers, Some(Mode::Customer), HERE);
    }
}
