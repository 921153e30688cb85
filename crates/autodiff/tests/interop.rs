//! The bridges to other crates.

#[cfg(feature = "num-traits")]
mod num_traits {
    use autodiff::Dual;
    use num_traits::{Float, FloatConst, Num, One, Zero};

    /// Written for any `Float`, with nothing of this crate in it.
    fn generic<F: Float + FloatConst>(x: F) -> F {
        let y = x.cbrt() + x.log2() * x.hypot(F::one()) + x.asinh() + (x + F::one()).acosh();
        (y % F::PI()).abs().powf(x) + (x / (x + x + F::one())).atanh() + x.exp2().log10() + x.fract() + x.mul_add(x, x)
    }

    #[test]
    fn float_functions_differentiate() {
        for x in [0.3_f64, 0.9, 2.4] {
            let h = 1e-5;
            let difference = (generic(x - 2.0 * h) - 8.0 * generic(x - h) + 8.0 * generic(x + h)
                - generic(x + 2.0 * h))
                / (12.0 * h);
            let dual = generic(Dual::variable(x));
            assert_eq!(dual.value(), generic(x));
            approx::assert_relative_eq!(dual.tangent(), difference, max_relative = 1e-8);
        }
    }

    #[test]
    fn comparisons_look_at_values_and_zero_at_both_parts() {
        assert!(Dual::new(1.0, 5.0) < Dual::new(2.0, -5.0));
        assert!(Dual::new(1.0, 5.0) == Dual::new(1.0, 0.0));
        assert!(!Dual::new(0.0, 1.0).is_zero() && Dual::new(0.0, 0.0).is_zero());
        assert!(!Dual::new(1.0, 1.0).is_one());
        assert_eq!(Dual::<f64>::from_str_radix("101", 2).unwrap().value(), 5.0);
        assert_eq!(format!("{:.1}", Dual::new(2.0, 0.5)), "2.0 + 0.5ε");
        // Values are those of the plain number, and a constant's tangent meets no infinite slope.
        assert_eq!(Float::log10(Dual::variable(1000.0_f64)).value(), 3.0);
        assert_eq!(Float::cbrt(Dual::constant_value(0.0_f64)).tangent(), 0.0);
        assert_eq!(Float::max(Dual::constant_value(f64::NAN), Dual::variable(1.0)).value(), 1.0);
    }
}

#[cfg(feature = "nalgebra")]
mod nalgebra {
    use autodiff::Dual;
    use nalgebra::{DMatrix, DVector, SymmetricEigen};

    const N: usize = 4;

    fn symmetric(t: f64) -> DMatrix<f64> {
        DMatrix::from_fn(N, N, |i, j| {
            let (a, b) = (i.min(j) as f64, i.max(j) as f64);
            (a * 1.3 + b * 0.7).sin() + t * (a - 2.0 * b).cos() + if i == j { 5.0 + a } else { 0.0 }
        })
    }

    /// The same matrix with the derivative by `t` as tangent.
    fn dual(t: f64) -> DMatrix<Dual<f64>> {
        let (value, slope) = (symmetric(t), symmetric(1.0) - symmetric(0.0));
        DMatrix::from_fn(N, N, |i, j| Dual::new(value[(i, j)], slope[(i, j)]))
    }

    fn right() -> DVector<f64> {
        DVector::from_fn(N, |i, _| 1.0 + i as f64)
    }

    /// `dx/dt = −A⁻¹ (dA/dt) x` for `A x = b`.
    fn exact_slope(t: f64) -> DVector<f64> {
        let lu = symmetric(t).lu();
        let x = lu.solve(&right()).unwrap();
        -lu.solve(&((symmetric(1.0) - symmetric(0.0)) * x)).unwrap()
    }

    #[test]
    fn cholesky_and_lu_solutions_differentiate() {
        let t = 0.4;
        let b = right().map(Dual::constant_value);
        let exact = exact_slope(t);
        for x in [dual(t).cholesky().unwrap().solve(&b), dual(t).lu().solve(&b).unwrap()] {
            for i in 0..N {
                approx::assert_relative_eq!(x[i].tangent(), exact[i], max_relative = 1e-11);
            }
        }
    }

    #[test]
    fn symmetric_eigenvalues_differentiate() {
        let t = 0.4;
        let eigen = SymmetricEigen::new(symmetric(t));
        let slope = symmetric(1.0) - symmetric(0.0);
        let mut exact: Vec<(f64, f64)> = (0..N)
            .map(|i| {
                let v = eigen.eigenvectors.column(i);
                (eigen.eigenvalues[i], (v.transpose() * &slope * v)[(0, 0)])
            })
            .collect();
        let mut found: Vec<(f64, f64)> =
            SymmetricEigen::new(dual(t)).eigenvalues.iter().map(|e| (e.value(), e.tangent())).collect();
        exact.sort_by(|a, b| a.0.total_cmp(&b.0));
        found.sort_by(|a, b| a.0.total_cmp(&b.0));
        for (found, exact) in found.iter().zip(&exact) {
            approx::assert_relative_eq!(found.0, exact.0, max_relative = 1e-12);
            approx::assert_relative_eq!(found.1, exact.1, max_relative = 1e-8, epsilon = 1e-9);
        }
    }
}

#[cfg(feature = "ndarray")]
mod ndarray {
    use autodiff::Tensor;
    use ndarray::{Array2, ArrayD, array};

    #[test]
    fn arrays_come_and_go() {
        let a: Array2<f64> = array![[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]];
        let transposed = Tensor::from(&a.t());
        assert_eq!((transposed.dims(), transposed.data()), (&[3, 2][..], &[1.0, 4.0, 2.0, 5.0, 3.0, 6.0][..]));
        let back: ArrayD<f64> = transposed.into();
        assert_eq!(back, a.t().into_dyn());
        let row: ArrayD<f32> = Tensor::from_rows([[1.0_f32, 2.0], [3.0, 4.0]]).row(1).into();
        assert_eq!(row, array![3.0_f32, 4.0].into_dyn());
    }
}

#[cfg(feature = "serde")]
mod serde {
    use autodiff::{Custom, Program, Tensor, Value};

    #[test]
    fn tensors_and_programs_survive_a_round_trip() {
        let x = Tensor::from_rows([[1.0, -0.1], [1e-300, 3.5]]);
        let text = serde_json::to_string(&x.rows(1..)).unwrap();
        assert_eq!(text, r#"{"shape":[1,2],"data":[1e-300,3.5]}"#);
        assert_eq!(serde_json::from_str::<Tensor<f64>>(&text).unwrap(), x.rows(1..));

        let program = Program::record(&[&[2, 2]], |v| (v[0].tanh() * &x).logsumexp(&[0]).sum_all() / 3.0).unwrap();
        let gradient = program.grad(&[0]).unwrap();
        let back: Program = serde_json::from_str(&serde_json::to_string(&gradient).unwrap()).unwrap();
        assert_eq!(back.to_string(), gradient.to_string());
        assert_eq!(back.run(&[x.clone()]).unwrap(), gradient.run(&[x]).unwrap());
    }

    #[test]
    fn what_cannot_be_read_says_why() {
        let wrong = serde_json::from_str::<Tensor<f64>>(r#"{"shape":[3],"data":[1.0]}"#).unwrap_err();
        assert!(wrong.to_string().contains("holds 3 elements, but 1 were given"), "{wrong}");

        let program = Program::record(&[&[2, 3]], |v| v[0].exp()).unwrap();
        let text = serde_json::to_string(&program).unwrap();
        let late = text.replace(r#""args":[0]"#, r#""args":[7]"#);
        assert!(serde_json::from_str::<Program>(&late).unwrap_err().to_string().contains("program node 7"));
        let misshapen = text.replacen(r#""shape":[2,3]}]"#, r#""shape":[2,4]}]"#, 1);
        assert_ne!(text, misshapen);
        assert!(serde_json::from_str::<Program>(&misshapen).unwrap_err().to_string().contains("shape"));

        for (from, to, part) in [
            (r#"{"Input":0}"#, r#"{"Input":5}"#, "program input 5"),
            (r#""inputs":[0]"#, r#""inputs":[]"#, "program input"),
            (r#""inputs":[0]"#, r#""inputs":[1]"#, "program input 0"),
            (r#""outputs":[1]"#, r#""outputs":[9]"#, "program node 9"),
        ] {
            let broken = text.replacen(from, to, 1);
            assert_ne!(broken, text, "{from}");
            let error = serde_json::from_str::<Program>(&broken).unwrap_err().to_string();
            assert!(error.contains(part), "{to}: {error}");
        }
        let huge = r#"{"shape":[4294967296,4294967296],"data":[]}"#;
        assert!(serde_json::from_str::<Tensor<f64>>(huge).is_err());

        let custom = Custom::new("secret", 1, |x| x[0].clone());
        let program = Program::record(&[&[2]], |v| v[0].custom(&custom)).unwrap();
        let refused = serde_json::to_string(&program).unwrap_err();
        assert!(refused.to_string().contains("custom op `secret`"), "{refused}");
    }
}
