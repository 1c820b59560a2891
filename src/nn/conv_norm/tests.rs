//! The fused op against the layers one after the other.

use super::*;
use crate::nn::Slot;
use crate::nn::conv::Padding;
use crate::nn::kernels::testing::assert_near;
use crate::nn::param::Statistic;
use crate::nn::testing::{assert_freezing, dense, values, var};
use candle_core::Var;
use proptest::prelude::*;

struct Case {
    vars: Vec<Var>,
    x: Var,
    residual: Option<Var>,
    is_depthwise: bool,
    stride: usize,
    activation: Activation,
}

impl Case {
    fn new(dims: [usize; 4], out: usize, kernel: usize, is_depthwise: bool) -> Self {
        let (input, out) = if is_depthwise { (1, dims[3]) } else { (dims[3], out) };
        let vars = vec![var((out, input, kernel, kernel), 2), var(out, 3), var(out, 4)];
        let x = var(dims.to_vec(), 1);
        Self { vars, x, residual: None, is_depthwise, stride: 1, activation: Activation::Relu }
    }

    fn layer(&self, [weight, norm, bias]: [Param; 3]) -> ConvNorm {
        let channels = norm.tensor().dims1().unwrap();
        let (stride, padding) = (self.stride, Padding::TensorFlowSame);
        let convolution = match self.is_depthwise {
            true => Convolution::Depthwise(DepthwiseConv2d { weight, stride, padding }),
            false => Convolution::Dense(Conv2d { weight, bias: None, stride, padding }),
        };
        let running_mean = var(channels, 5).as_detached_tensor();
        let running_var = (var(channels, 6).as_detached_tensor().abs().unwrap() + 0.1).unwrap();
        let norm = BatchNorm {
            weight: norm,
            bias,
            running_mean: Statistic::fixed(running_mean),
            running_var: Statistic::fixed(running_var),
            eps: 1e-3,
            activation: self.activation,
        };
        ConvNorm { convolution, norm }
    }

    fn params(&self, slots: Option<&[Slot]>) -> [Param; 3] {
        std::array::from_fn(|i| Param::trainable(&self.vars[i], slots.map(|s| s[i].clone())))
    }

    /// Results, gradients of input and residual, and gradients of the parameters.
    fn run(&self, slots: Option<&[Slot]>) -> Vec<Vec<f32>> {
        let layer = self.layer(self.params(slots));
        assert_eq!(
            is_fused(&[&layer], &self.x, self.residual.as_deref()),
            slots.is_some() && !composed_only(self)
        );
        let y = conv_norm_chain(&[&layer], &self.x, self.residual.as_deref()).unwrap();
        // Weighs every element differently.
        let probe = var(y.shape(), 9);
        let store = (&y * probe.as_tensor()).unwrap().sum_all().unwrap().backward().unwrap();
        let mut all = vec![values(&y), values(store.get(&self.x).unwrap())];
        all.extend(self.residual.as_ref().map(|r| values(store.get(r).unwrap())));
        for (i, v) in self.vars.iter().enumerate() {
            all.push(match slots {
                Some(slots) if slots[i].is_written() => {
                    slots[i].with_gradient(|g| Ok(dense(g, v.elem_count()))).unwrap()
                }
                _ => values(store.get(v).unwrap()),
            });
        }
        all
    }

    fn check(&self, what: &str) {
        let slots: Vec<Slot> = self.vars.iter().map(|v| Slot::new(v.elem_count())).collect();
        for (i, (fused, steps)) in self.run(Some(&slots)).iter().zip(self.run(None)).enumerate() {
            assert_near(fused, &steps, 1e-5, &format!("{what}: {i}"));
        }
    }
}

/// A residual under an activation whose slope its result does not tell.
fn composed_only(case: &Case) -> bool {
    case.residual.is_some() && !matches!(case.activation, Activation::None | Activation::Relu)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]
    #[test]
    fn fused_and_in_steps_agree(
        (batch, height, width) in (1usize..3, 1usize..9, 1usize..17),
        (input, out) in prop_oneof![(1usize..6, 1usize..6), (1usize..3, 1usize..50).prop_map(|(b, o)| (16 * b, o))],
        kernel in prop_oneof![Just(1usize), Just(3), Just(5)],
        stride in 1usize..3,
        (is_depthwise, with_residual) in (any::<bool>(), any::<bool>()),
        activation in 0..Activation::ALL.len(),
    ) {
        let mut case = Case::new([batch, height, width, input], out, kernel, is_depthwise);
        case.stride = stride;
        case.activation = Activation::ALL[activation];
        if with_residual {
            let y = case.layer(case.params(None)).forward(&case.x).unwrap();
            case.residual = Some(var(y.shape(), 8));
        }
        case.check(&format!("kernel {kernel}, stride {stride}, depthwise {is_depthwise}, {:?}", case.activation));
    }
}

#[test]
fn a_norm_that_follows_the_batches_sees_the_whole_convolution() {
    let case = Case::new([2, 5, 4, 3], 6, 3, false);
    let residual = var((2, 5, 4, 6), 8);
    let following = |params: [Param; 3]| {
        let mut layer = case.layer(params);
        for statistic in [&mut layer.norm.running_mean, &mut layer.norm.running_var] {
            *statistic = Statistic::following(&Var::from_tensor(&statistic.tensor()).unwrap());
        }
        layer
    };
    let slots: Vec<Slot> = case.vars.iter().map(|v| Slot::new(v.elem_count())).collect();
    let (layer, reference) = (following(case.params(Some(&slots))), following(case.params(None)));
    assert!(!is_fused(&[&layer], &case.x, Some(&residual)));
    let y = conv_norm_chain(&[&layer], &case.x, Some(&residual)).unwrap();
    let Convolution::Dense(convolution) = &reference.convolution else { panic!("dense") };
    let plain = BatchNorm { activation: Activation::None, ..reference.norm.clone() };
    let normed = plain.forward_composed(&convolution.forward_composed(&case.x).unwrap()).unwrap();
    let expected = (normed + residual.as_tensor()).unwrap().relu().unwrap();
    assert_near(&values(&y), &values(&expected), 1e-5, "result");
    // Moved once, as there.
    for (a, b) in [
        (&layer.norm.running_mean, &reference.norm.running_mean),
        (&layer.norm.running_var, &reference.norm.running_var),
    ] {
        assert_near(&values(&a.tensor()), &values(&b.tensor()), 1e-5, "statistics");
    }
    let (store, other) = (y.sum_all().unwrap().backward().unwrap(), expected.sum_all().unwrap());
    let other = other.backward().unwrap();
    let (dx, expected) = (store.get(&case.x).unwrap(), other.get(&case.x).unwrap());
    assert_near(&values(dx), &values(expected), 1e-4, "gradient of the input");
    for (slot, var) in slots.iter().zip(&case.vars) {
        let actual = slot.with_gradient(|g| Ok(dense(g, var.elem_count()))).unwrap();
        assert_near(&actual, &values(other.get(var).unwrap()), 1e-4, "gradient of a parameter");
    }
}

#[test]
fn many_tiles() {
    for (dims, out, kernel, is_depthwise) in [
        ([3, 41, 39, 20], 9, 3, false),
        ([3, 21, 19, 32], 48, 3, false),
        ([3, 41, 39, 20], 33, 1, false),
        ([2, 41, 39, 20], 20, 3, true),
    ] {
        let mut case = Case::new(dims, out, kernel, is_depthwise);
        case.residual = Some(var((dims[0], dims[1], dims[2], out), 8));
        case.check("many tiles");
    }
}

#[test]
fn only_what_is_asked_for_is_computed() {
    for is_depthwise in [false, true] {
        let case = Case::new([2, 4, 3, 5], 4, 3, is_depthwise);
        let vars: Vec<&Var> = case.vars.iter().collect();
        assert_freezing("convolution and norm", &case.x, &vars, |x, params| {
            case.layer([params[0].clone(), params[1].clone(), params[2].clone()]).forward(x)
        });
    }
}

#[test]
fn wrong_shapes_are_errors() {
    let case = Case::new([2, 4, 3, 5], 4, 3, false);
    let [weight, norm, bias] = case.vars.clone().try_into().unwrap();
    let frozen = |v: &Var| Param::frozen(v.as_tensor().clone());
    let layer = case.layer([frozen(&weight), frozen(&norm), frozen(&bias)]);
    assert!(layer.forward(&var((2, 4, 3, 6), 1)).is_err(), "channels");
    assert!(conv_norm_chain(&[&layer], &case.x, Some(&var((2, 4, 3, 5), 1))).is_err(), "residual");
    assert!(conv_norm_chain(&[&layer, &layer], &case.x, None).is_err(), "the second one's channels");
    assert!(conv_norm_chain(&[], &case.x, None).is_err(), "none");
    let narrow = case.layer([frozen(&weight), frozen(&var(3, 1)), frozen(&var(3, 1))]);
    assert!(narrow.forward(&case.x).is_err(), "norm");
}

/// Three layers of an inverted residual block, or of a bottleneck of a ResNet, whose channels suit the direct
/// convolution.
fn block(side: usize, stride: usize, is_bottleneck: bool) -> [Case; 3] {
    let (narrow, wide) = if is_bottleneck { (5, 16) } else { (5, 17) };
    let mut cases = [
        Case::new([2, side, side, narrow], wide, 1, false),
        Case::new([2, side, side, wide], wide, 3, !is_bottleneck),
        Case::new([2, side.div_ceil(stride), side.div_ceil(stride), wide], narrow, 1, false),
    ];
    for (n, case) in cases.iter_mut().enumerate() {
        // Other weights for each, and none with the same places.
        case.vars =
            case.vars.iter().zip(10 * n as u64..).map(|(v, seed)| var(v.shape(), 50 + seed)).collect();
    }
    cases[1].stride = stride;
    cases[0].activation = Activation::Relu6;
    cases[1].activation = Activation::Silu;
    cases[2].activation = if is_bottleneck { Activation::Relu } else { Activation::None };
    cases
}

/// Result, gradient of the input, and gradients of the parameters; `thawed` says which of the nine are trained.
fn run_chain(
    cases: &[Case; 3],
    residual: Option<Residual>,
    thawed: impl Fn(usize) -> bool,
    tracks_input: bool,
    as_one: bool,
) -> Vec<Option<Vec<f32>>> {
    let slots: Vec<Slot> = cases.iter().flat_map(|c| &c.vars).map(|v| Slot::new(v.elem_count())).collect();
    let layers: Vec<ConvNorm> = cases
        .iter()
        .enumerate()
        .map(|(n, case)| {
            case.layer(std::array::from_fn(|i| match thawed(3 * n + i) {
                true => Param::trainable(&case.vars[i], Some(slots[3 * n + i].clone())),
                false => Param::frozen(case.vars[i].as_tensor().clone()),
            }))
        })
        .collect();
    let layers: Vec<&ConvNorm> = layers.iter().collect();
    let x = if tracks_input { cases[0].x.as_tensor().clone() } else { cases[0].x.as_detached_tensor() };
    let other = var(x.shape(), 33);
    let residual = residual.map(|residual| match residual {
        Residual::Input => &x,
        Residual::Other => other.as_tensor(),
    });
    let y = match as_one {
        true => conv_norm_chain(&layers, &x, residual).unwrap(),
        false => {
            let inner = layers[1].forward(&layers[0].forward(&x).unwrap()).unwrap();
            layers[2].forward_in_steps(&inner, residual).unwrap()
        }
    };
    let mut all = vec![Some(values(&y))];
    if !y.track_op() {
        return all;
    }
    let probe = var(y.shape(), 9).as_detached_tensor();
    let store = (&y * probe).unwrap().sum_all().unwrap().backward().unwrap();
    all.extend([store.get(&cases[0].x).map(values), store.get(&other).map(values)]);
    for slot in &slots {
        let len = slot.is_written().then(|| slot.with_gradient(|g| Ok(g.values().len())).unwrap());
        all.push(len.map(|len| slot.with_gradient(|g| Ok(dense(g, len))).unwrap()));
    }
    all
}

#[derive(Clone, Copy, Debug)]
enum Residual {
    Input,
    Other,
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 80, ..ProptestConfig::default() })]
    #[test]
    fn a_chain_is_its_layers_one_after_the_other(
        side in 1usize..9,
        (strided, is_bottleneck) in (any::<bool>(), any::<bool>()),
        residual in prop_oneof![Just(None), Just(Some(Residual::Input)), Just(Some(Residual::Other))],
        thawed in 0u32..512,
        tracks_input in any::<bool>(),
    ) {
        let cases = block(side, if strided { 2 } else { 1 }, is_bottleneck);
        let residual = residual.filter(|_| !strided);
        let thawed = |n: usize| thawed >> n & 1 == 1;
        let chain = run_chain(&cases, residual, thawed, tracks_input, true);
        let steps = run_chain(&cases, residual, thawed, tracks_input, false);
        prop_assert_eq!(chain.len(), steps.len());
        for (i, (chain, steps)) in chain.iter().zip(&steps).enumerate() {
            prop_assert_eq!(chain.is_some(), steps.is_some(), "gradient {}", i);
            if let (Some(chain), Some(steps)) = (chain, steps) {
                assert_near(chain, steps, 2e-5, &format!("{i}, {residual:?}"));
            }
        }
    }
}

#[test]
fn a_second_backward_pass_is_an_error() {
    let cases = block(4, 1, false);
    let slots: Vec<Slot> = cases.iter().flat_map(|c| &c.vars).map(|v| Slot::new(v.elem_count())).collect();
    let layers: Vec<ConvNorm> =
        cases.iter().zip(slots.chunks(3)).map(|(case, slots)| case.layer(case.params(Some(slots)))).collect();
    let layers: Vec<&ConvNorm> = layers.iter().collect();
    let loss = conv_norm_chain(&layers, &cases[0].x, None).unwrap().sum_all().unwrap();
    loss.backward().unwrap();
    slots.iter().for_each(Slot::clear);
    assert!(loss.backward().unwrap_err().to_string().contains("twice"));
}

#[test]
fn a_chain_around_a_norm_that_follows_is_not_fused() {
    let cases = block(5, 1, true);
    let mut layers =
        cases.each_ref().map(|case| case.layer(case.params(None).map(|p| Param::frozen(p.tensor().clone()))));
    let whole = layers.each_ref();
    assert!(is_fused(&whole, &cases[0].x, None));
    for statistic in [&mut layers[1].norm.running_mean, &mut layers[1].norm.running_var] {
        *statistic = Statistic::following(&Var::from_tensor(&statistic.tensor()).unwrap());
    }
    let [first, second, third] = layers.each_ref();
    assert!(!is_fused(&[first, second, third], &cases[0].x, None));
    let chain = conv_norm_chain(&[first, second, third], &cases[0].x, None).unwrap();
    let inner = second.forward(&first.forward(&cases[0].x).unwrap()).unwrap();
    assert_eq!(values(&chain), values(&third.forward(&inner).unwrap()));
}
