//! Files of numbers and labels: what is read, and what is said of what cannot be.

use nn::data::{
    Dataset, LabelColumn, Noise, Schema, Standardize, Transition, imbalance, npy, npy_pair, npy_shape, read_csv,
};
use nn::{Error, rng};

fn read(text: &str, label: &LabelColumn, schema: Option<&Schema>) -> Result<(Dataset<f64>, Schema), Error> {
    read_csv("a.csv", text.as_bytes(), label, schema)
}

fn guess(text: &str) -> (Dataset<f64>, Schema) {
    read(text, &LabelColumn::Guess, None).unwrap()
}

#[test]
fn headers_labels_and_quotes_are_understood() {
    let (data, schema) = guess("height,width,species\n1,2.5,cat\n-3e1,4,dog\n5,6,cat\n");
    assert_eq!(data.inputs().data(), [1.0, 2.5, -30.0, 4.0, 5.0, 6.0]);
    assert_eq!((data.labels(), data.classes()), (&[0, 1, 0][..], 2));
    assert_eq!(
        (schema.features, schema.classes),
        (vec!["height".into(), "width".into()], vec!["cat".into(), "dog".into()])
    );
    // Without a header; numeric labels in the order of numbers, not of text; spaces and CRLF.
    let (data, schema) = guess("1, 2, 10\r\n3, 4, 9\r\n");
    assert_eq!((data.labels(), schema.header), (&[1, 0][..], false));
    assert_eq!(
        (schema.classes, schema.features),
        (vec!["9".to_owned(), "10".into()], vec!["x0".to_owned(), "x1".into()])
    );
    // The label by name or position, not last.
    let text = "class,a,b\n1,2,3\n0,4,5\n";
    for label in [LabelColumn::Guess, LabelColumn::Name("class".into()), LabelColumn::Index(0)] {
        let (data, schema) = read(text, &label, None).unwrap();
        assert_eq!((data.inputs().data(), data.labels(), schema.label), (&[2.0, 3.0, 4.0, 5.0][..], &[1, 0][..], 0));
    }
    let (data, _) = read("a,b,c\n1,2,3\n4,5,6\n", &"b".parse().unwrap(), None).unwrap();
    assert_eq!(data.inputs().data(), [1.0, 3.0, 4.0, 6.0]);
    // Quoted names and labels with commas in them, a byte order mark, blank lines, no newline at the end.
    let (data, schema) = guess("\u{feff}a,\"b, c\",class\n1,2,\"x, y\"\n\n3,4,z");
    assert_eq!((schema.features[0].as_str(), schema.features[1].as_str(), schema.classes.len()), ("a", "b, c", 2));
    assert_eq!(data.len(), 2);
}

#[test]
fn what_cannot_be_read_is_named_with_its_line() {
    let (_, schema) = guess("a,b,class\n1,2,p\n3,4,q\n");
    let cases: &[(&str, LabelColumn, bool, usize, &str)] = &[
        ("", LabelColumn::Guess, false, 1, "empty"),
        ("\n\n", LabelColumn::Guess, false, 1, "empty"),
        ("a,class\n", LabelColumn::Guess, false, 1, "no rows"),
        ("1\n2\n", LabelColumn::Guess, false, 1, "1 column"),
        ("1;2;3\n", LabelColumn::Guess, false, 1, "separated by commas"),
        ("1,2,p\n3,q\n", LabelColumn::Guess, false, 2, "2 fields where the first line has 3"),
        ("1,2,p\n3,4,5,q\n", LabelColumn::Guess, false, 2, "4 fields"),
        ("1,2,p\n3,,q\n", LabelColumn::Guess, false, 2, "`x1` is missing"),
        ("a,b,class\n1,2,p\nNA,4,q\n", LabelColumn::Guess, false, 3, "`a` is `NA`"),
        ("1,2,p\n3,nan,q\n", LabelColumn::Guess, false, 2, "no finite number"),
        ("1,2,p\n3,inf,q\n", LabelColumn::Guess, false, 2, "no finite number"),
        ("1,2,p\n3,4,\n", LabelColumn::Guess, false, 2, "the label is missing"),
        ("1,2,p\n", LabelColumn::Index(3), false, 1, "there is no column 3"),
        ("a,b,class\n1,2,p\n", LabelColumn::Name("kind".into()), false, 1, "no column `kind`"),
        ("a,b,class\n1,2,r\n", LabelColumn::Guess, true, 2, "label `r` does not occur"),
        ("a,b,c,class\n1,2,3,p\n", LabelColumn::Guess, true, 1, "3 features, but the training set has 2"),
        ("b,a,class\n1,2,p\n", LabelColumn::Guess, true, 1, "column `b` stands where the training set has `a`"),
    ];
    for (text, label, with_schema, line, words) in cases {
        let error = read(text, label, with_schema.then_some(&schema)).unwrap_err();
        assert!(matches!(&error, Error::Data { line: found, .. } if found == line), "{text:?}: {error}");
        assert!(error.to_string().contains(words) && error.to_string().contains("a.csv"), "{text:?}: {error}");
    }
    let error = nn::data::csv::<f64>("nowhere.csv".as_ref(), &LabelColumn::Guess, None).unwrap_err();
    assert!(error.to_string().contains("nowhere.csv"), "{error}");
}

#[test]
fn standardised_features_have_mean_0_and_deviation_1_where_they_were_fitted() {
    let (data, _) = guess("1,7,10,a\n2,7,30,b\n6,7,-20,a\n");
    let fitted = Standardize::fit(&data);
    let there = fitted.apply(&data).unwrap();
    let column = |j: usize| (0..3).map(|i| there.inputs().data()[3 * i + j]).collect::<Vec<f64>>();
    for j in [0, 2] {
        let (sum, squares): (f64, f64) = (column(j).iter().sum(), column(j).iter().map(|x| x * x).sum());
        assert!(sum.abs() < 1e-12 && (squares / 3.0 - 1.0).abs() < 1e-12);
    }
    assert_eq!(column(1), [0.0; 3], "a constant stays one");
    assert_eq!(Standardize::identity(3).apply(&data).unwrap(), data);
    assert!(matches!(Standardize::identity(2).apply(&data), Err(Error::Configuration { .. })));
}

#[test]
fn imbalance_keeps_a_geometric_part_of_each_class() {
    let rows: String = (0..900).map(|i| format!("{i},{}\n", i % 3)).collect();
    let (data, _) = guess(&rows);
    let kept = data.select(&imbalance(&data, 100.0, &mut rng(1)).unwrap());
    let counts: Vec<usize> = (0..3).map(|k| kept.labels().iter().filter(|&&l| l == k).count()).collect();
    assert_eq!(counts, [300, 30, 3]);
    assert!(matches!(imbalance(&data, 0.5, &mut rng(1)), Err(Error::Configuration { .. })));
}

#[test]
fn an_even_draw_has_as_many_of_each_class_as_can_be() {
    // 2 of the first class, 100 of each other.
    let rows: String = (0..202).map(|i| format!("{i},{}\n", if i < 2 { 0 } else { 1 + i % 2 })).collect();
    let (data, _) = guess(&rows);
    let [chosen, others] = data.draw_evenly(30, &mut rng(5)).unwrap();
    let counts: Vec<usize> = (0..3).map(|k| chosen.iter().filter(|&&i| data.labels()[i] == k).count()).collect();
    assert!(counts[0] == 2 && counts.iter().all(|&n| n <= 10 + 8) && counts[1] >= 10 && counts[2] >= 10, "{counts:?}");
    let mut all = [chosen, others].concat();
    all.sort_unstable();
    assert_eq!(all, (0..202).collect::<Vec<_>>(), "every example is drawn or left, once");
    assert!(matches!(data.draw_evenly(203, &mut rng(5)), Err(Error::Configuration { .. })));
}

/// A file that is removed at the end.
struct File(std::path::PathBuf);

impl File {
    fn new(name: &str, bytes: &[u8]) -> Self {
        let path = std::env::temp_dir().join(format!("hypertape-table-{}-{name}", std::process::id()));
        std::fs::write(&path, bytes).unwrap();
        Self(path)
    }
}

impl Drop for File {
    fn drop(&mut self) {
        std::fs::remove_file(&self.0).ok();
    }
}

/// A file as `numpy.save` writes it: version 1, the header padded to 64 bytes.
fn saved(descr: &str, shape: &str, numbers: &[u8]) -> Vec<u8> {
    let mut header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}");
    while (10 + header.len() + 1) % 64 != 0 {
        header.push(' ');
    }
    header.push('\n');
    [b"\x93NUMPY\x01\x00", &(header.len() as u16).to_le_bytes()[..], header.as_bytes(), numbers].concat()
}

#[test]
fn arrays_of_numpy_are_read() {
    // What NumPy 2.4.6 wrote for [[1.5, −2], [3, 4e10]] as float32.
    let whole = b"\x93NUMPY\x01\x00v\x00{'descr': '<f4', 'fortran_order': False, 'shape': (2, 2), }                                                          \n\x00\x00\xc0?\x00\x00\x00\xc0\x00\x00@@\xf9\x02\x15Q";
    assert_eq!(whole, &saved("<f4", "(2, 2)", &whole[128..])[..], "the files of this test are like NumPy's");
    let x = File::new("x.npy", whole);
    let read = npy::<f64>(&x.0).unwrap();
    assert_eq!((read.dims(), read.data()), (&[2, 2][..], &[1.5, -2.0, 3.0, f64::from(4e10_f32)][..]));
    let cases: [(&str, &[u8], &[f64]); 7] = [
        ("<i2", &[0, 0, 255, 255, 44, 1], &[0.0, -1.0, 300.0]),
        ("|u1", &[0, 7, 255], &[0.0, 7.0, 255.0]),
        ("|i1", &[0, 7, 255], &[0.0, 7.0, -1.0]),
        ("|b1", &[1, 0, 1], &[1.0, 0.0, 1.0]),
        ("<u4", &[1, 0, 0, 0, 0, 1, 0, 0, 255, 255, 255, 255], &[1.0, 256.0, 4_294_967_295.0]),
        (
            "<i8",
            &[[254, 255, 255, 255, 255, 255, 255, 255], [3, 0, 0, 0, 0, 0, 0, 0], [0; 8]].concat(),
            &[-2.0, 3.0, 0.0],
        ),
        ("<f8", &[0.1_f64.to_le_bytes(), (-2.5_f64).to_le_bytes(), [0; 8]].concat(), &[0.1, -2.5, 0.0]),
    ];
    for (descr, bytes, expected) in cases {
        let file = File::new("kinds.npy", &saved(descr, "(3,)", bytes));
        assert_eq!(npy::<f64>(&file.0).unwrap().data(), expected, "{descr}");
    }
    // Pairs: pictures in rows, the classes of the training set for others.
    let pictures = File::new("pictures.npy", &saved("|u1", "(2, 1, 2)", &[1, 2, 3, 4]));
    let labels = File::new("labels.npy", &saved("|i1", "(2,)", &[7, 253]));
    let (data, schema) = npy_pair::<f32>(&pictures.0, &labels.0, None).unwrap();
    assert_eq!((data.inputs().dims(), data.labels()), (&[2, 2][..], &[1, 0][..]));
    assert_eq!((schema.classes.clone(), schema.features.len()), (vec!["-3".to_owned(), "7".into()], 2));
    assert_eq!(npy_shape(&pictures.0).unwrap(), [2, 1, 2]);
    let other = File::new("other.npy", &saved("|i1", "(2,)", &[253, 253]));
    assert_eq!(npy_pair::<f32>(&pictures.0, &other.0, Some(&schema)).unwrap().0.labels(), [0, 0]);
    let stranger = File::new("stranger.npy", &saved("|i1", "(2,)", &[253, 5]));
    let half = File::new("half.npy", &saved("<f8", "(2,)", &[0.5_f64.to_le_bytes(), [0; 8]].concat()));
    for (wrong, words) in [(&stranger, "label 5 (number 1)"), (&half, "label 0 is 0.5"), (&pictures, "shape [2, 1, 2]")]
    {
        let message = npy_pair::<f32>(&pictures.0, &wrong.0, Some(&schema)).unwrap_err().to_string();
        assert!(message.contains(words), "{message}");
    }
    assert!(npy_pair::<f32>(&labels.0, &labels.0, None).unwrap_err().to_string().contains("[examples, features]"));
}

#[test]
fn what_is_no_array_is_said() {
    let nan = f64::NAN.to_le_bytes();
    let cases: [(Vec<u8>, &str); 9] = [
        (vec![], "too short"),
        (b"PK\x03\x04 an archive of arrays".to_vec(), "no .npy file"),
        (saved("|u1", "(3,)", &[1, 2]), "ends after 2 of 3"),
        (saved("|u1", "(3,)", &[1, 2, 3, 4]), "goes on after 3"),
        (saved(">f8", "(1,)", &[0; 8]), "`>f8`"),
        (saved("<U5", "(1,)", &[0; 20]), "`<U5`"),
        (saved("|u1", "(many,)", &[1]), "no shape"),
        (saved("<f8", "(1,)", &nan), "NaN"),
        (saved("|u1", "(9999999999, 9999999999)", &[1]), "too large"),
    ];
    for (bytes, words) in cases {
        let file = File::new("wrong.npy", &bytes);
        let message = npy::<f32>(&file.0).unwrap_err().to_string();
        assert!(message.contains(words) && message.contains("wrong.npy"), "{message}");
    }
    let mut bytes = saved("|u1", "(1,)", &[1]);
    let at = bytes.windows(5).position(|w| w == b"False").unwrap();
    bytes.splice(at..at + 5, *b"True ");
    let file = File::new("fortran.npy", &bytes);
    assert!(npy::<f32>(&file.0).unwrap_err().to_string().contains("ascontiguousarray"));
}

#[test]
fn labels_are_redrawn_by_a_transition_matrix() {
    let rows = [vec![0.7, 0.3, 0.0], vec![0.0, 1.0, 0.0], vec![0.25, 0.25, 0.5]];
    let noise = Noise::Asymmetric(Transition::new("m", &rows).unwrap());
    let labels: Vec<usize> = (0..30_000).map(|i| i % 3).collect();
    let noisy = noise.apply(&labels, 3, &mut rng(4)).unwrap();
    for (i, row) in rows.iter().enumerate() {
        for (j, p) in row.iter().enumerate() {
            let found = labels.iter().zip(&noisy).filter(|(l, n)| **l == i && **n == j).count() as f64 / 10_000.0;
            // Five standard deviations of a proportion; what is impossible never happens.
            assert!((found - p).abs() <= 5.0 * (p * (1.0 - p) / 10_000.0).sqrt(), "{i} → {j}: {found} for {p}");
        }
    }
    assert!(noise.apply(&[0, 1], 2, &mut rng(4)).unwrap_err().to_string().contains("3 rows for 2 classes"));
    // From a file, through the name that the command line takes.
    let file = File::new("asym.csv", b"0.9, 0.1\n0,1\n");
    let text = format!("asym:{}", file.0.display());
    let parsed: Noise = text.parse().unwrap();
    assert_eq!(parsed.to_string(), text);
    assert_eq!(parsed.apply(&[1; 50], 2, &mut rng(0)).unwrap(), [1; 50]);
    for (bytes, words) in [
        (&b"0.9,0.2\n0,1\n"[..], "row 0: the sum is 1.1"),
        (b"1.5,-0.5\n0,1\n", "row 0: 1.5 is no probability"),
        (b"1,0\n", "2 numbers where there are 1 rows"),
        (b"1,x\n0,1\n", "line 1: `column 1` is `x`"),
        (b"", "no rows"),
    ] {
        let file = File::new("wrong.csv", bytes);
        let message = format!("asym:{}", file.0.display()).parse::<Noise>().unwrap_err().to_string();
        assert!(message.contains(words), "{message}");
    }
}
