(** * S16: the gradients of SDPG.

    Proposition 3.1 (the distillation term is a policy gradient with a centred advantage), the four
    per-token surrogates of the reference KL, and the gate. *)
From Coq Require Import Reals List Lra Lia.
From Coquelicot Require Import Coquelicot.
From HDPO Require Import FinSum Softmax Gradient Advantage.
Import ListNotations.
Open Scope R_scope.

(** ** Proposition 3.1 *)
Section Prop31.
  Context {T : Type}.
  Variable l : list T.
  Hypothesis Hl : l <> [].
  Variables z v q : T -> R.             (* logits, a direction, the frozen teacher *)
  Hypothesis Hq : forall t, In t l -> 0 < q t.
  Let p := policy_along l z v.

  (** The token advantage of the teacher: A(a) = D - log(p(a)/q(a)), D = KL(p || q). *)
  Definition distill_advantage (s : R) (t : T) : R := KL l (p s) q - ln (p s t / q t).

  Theorem S16_advantage_centred s : expect l (p s) (distill_advantage s) = 0.
  Proof.
    destruct (softmax_dist l Hl (zs z v s)) as [_ S1].
    unfold expect, distill_advantage.
    rewrite (sum_ext l _ (fun t => p s t * KL l (p s) q - p s t * ln (p s t / q t))) by (intros; ring).
    rewrite sum_minus, (sum_scal_r l (KL l (p s) q) (p s)).
    change (sum l (p s)) with (sum l (softmax l (zs z v s))). rewrite S1.
    change (sum l (fun t => p s t * ln (p s t / q t))) with (KL l (p s) q). ring.
  Qed.

  (** The surrogate - E_{a ~ SG[p]}[A(a) log p(a)] has the gradient of KL(p || SG[q]). *)
  Theorem S16_prop31 s :
    let D := sum l (fun t => p s t * v t * (ln (p s t / q t) - KL l (p s) q)) in
    is_derive (fun r => KL l (p r) q) s D /\
    is_derive (fun r => - sum l (fun t => p s t * distill_advantage s t * ln (p r t))) s D.
  Proof.
    intros D. split; [apply S8_reverse_KL_direction; auto|].
    evar_last.
    - apply @is_derive_opp.
      apply (is_derive_sum l (fun t r => p s t * distill_advantage s t * ln (p r t))
        (fun t => p s t * distill_advantage s t * (v t - expect l (p s) v))).
      intros t Ht. apply is_derive_scal.
      apply is_derive_ext with (fun r => logratio l z v (fun _ => 1) r t).
      + intros r. unfold logratio, p, Rdiv. now rewrite Rinv_1, Rmult_1_r.
      + apply (logratio_derive l Hl z v (fun _ => 1)); [intros; lra|assumption].
    - pose proof (S16_advantage_centred s) as C. unfold expect in C.
      unfold opp; simpl. unfold D.
      rewrite (sum_ext l _ (fun t => p s t * v t * distill_advantage s t
        - expect l (p s) v * (p s t * distill_advantage s t))) by (intros; ring).
      rewrite sum_minus, sum_scal, C.
      rewrite (sum_ext l (fun t => p s t * v t * (ln (p s t / q t) - KL l (p s) q))
        (fun t => -1 * (p s t * v t * distill_advantage s t)))
        by (intros; unfold distill_advantage; ring).
      rewrite sum_scal. ring.
  Qed.
End Prop31.

(** ** The reference-KL surrogates of losses/reference.py, w = student / reference. *)
Definition ufkl (w : R) : R := / w + ln w.
Definition urkl (w : R) : R := / 2 * ln w ^ 2.
Definition fkl (w : R) : R := / w.
Definition rkl (w : R) : R := / 2 * (ln w + 1) ^ 2.

Section Reference.
  Context {T : Type}.
  Variable l : list T.
  (** A curve of positive measures (not nec. of mass one) and a reference. *)
  Variable p : T -> R -> R.
  Variable dp : T -> R.
  Variable s : R.
  Variable ref : T -> R.
  Hypothesis Hp : forall t, In t l -> forall r, 0 < p t r.
  Hypothesis Hd : forall t, In t l -> is_derive (p t) s (dp t).
  Hypothesis Hr : forall t, In t l -> 0 < ref t.

  (** KL for measures of any mass: sum P ln(P/Q) - P + Q. *)
  Definition UKL (P Q : T -> R) : R := sum l (fun t => kl_term (P t) (Q t) - P t + Q t).

  (** The expected loss when tokens are sampled from the current policy and not differentiated. *)
  Definition expected_surrogate (k : R -> R) (r : R) : R :=
    sum l (fun t => p t s * k (p t r / ref t)).

  Lemma surrogate_derive (k dk : R -> R) :
    (forall w, 0 < w -> is_derive k w (dk w)) ->
    is_derive (expected_surrogate k) s
      (sum l (fun t => dp t * (p t s / ref t * dk (p t s / ref t)))).
  Proof.
    intros Hk. unfold expected_surrogate.
    apply (is_derive_sum l (fun t r => p t s * k (p t r / ref t))). intros t Ht.
    specialize (Hp t Ht s) as P. specialize (Hr t Ht) as R0.
    evar_last.
    - apply is_derive_scal. apply is_derive_comp with (f := k) (g := fun r => p t r / ref t).
      + apply Hk. now apply Rdiv_lt_0_compat.
      + unfold Rdiv. apply is_derive_mult_const. now apply Hd.
    - unfold scal; simpl; unfold mult; simpl. field. lra.
  Qed.

  Lemma ufkl_derive w : 0 < w -> is_derive ufkl w (- / w ^ 2 + / w).
  Proof. intros H. unfold ufkl. auto_derive; [repeat split; lra|]. field. lra. Qed.
  Lemma urkl_derive w : 0 < w -> is_derive urkl w (ln w / w).
  Proof. intros H. unfold urkl. auto_derive; [repeat split; lra|]. field. lra. Qed.
  Lemma fkl_derive w : 0 < w -> is_derive fkl w (- / w ^ 2).
  Proof. intros H. unfold fkl. auto_derive; [lra|]. field. lra. Qed.
  Lemma rkl_derive w : 0 < w -> is_derive rkl w ((ln w + 1) / w).
  Proof. intros H. unfold rkl. auto_derive; [repeat split; lra|]. field. lra. Qed.

  Lemma log_share_derive t : In t l -> is_derive (fun r => ln (p t r / ref t)) s (dp t / p t s).
  Proof.
    intros Ht. specialize (Hp t Ht s) as P. specialize (Hr t Ht) as R0.
    evar_last.
    - apply is_derive_comp with (f := ln) (g := fun r => p t r / ref t).
      + apply is_derive_Reals, derivable_pt_lim_ln. now apply Rdiv_lt_0_compat.
      + unfold Rdiv. apply is_derive_mult_const. now apply Hd.
    - unfold scal; simpl; unfold mult; simpl. field. lra.
  Qed.

  Lemma reverse_term_derive t : In t l ->
    is_derive (fun r => kl_term (p t r) (ref t)) s (dp t * (ln (p t s / ref t) + 1)).
  Proof.
    intros Ht. specialize (Hp t Ht s) as P. unfold kl_term.
    evar_last.
    - apply (is_derive_mult (p t) (fun r => ln (p t r / ref t))).
      + now apply Hd.
      + now apply log_share_derive.
      + intros; apply Rmult_comm.
    - unfold plus, mult; simpl. field. lra.
  Qed.

  Lemma forward_term_derive t : In t l ->
    is_derive (fun r => kl_term (ref t) (p t r)) s (- (dp t * (ref t / p t s))).
  Proof.
    intros Ht. specialize (Hr t Ht) as R0. specialize (Hp t Ht s) as P.
    apply is_derive_ext with (fun r => ref t * - ln (p t r / ref t)).
    - intros r. specialize (Hp t Ht r) as Pr. unfold kl_term.
      replace (ref t / p t r) with (/ (p t r / ref t)) by (field; lra).
      rewrite ln_Rinv by (now apply Rdiv_lt_0_compat). reflexivity.
    - evar_last.
      + apply is_derive_scal. apply @is_derive_opp. now apply log_share_derive.
      + unfold opp; simpl. field. lra.
  Qed.

  Ltac surrogate k_derive :=
    evar_last; [apply surrogate_derive; exact k_derive|];
    apply sum_ext; intros t Ht; specialize (Hp t Ht s); specialize (Hr t Ht); field; lra.

  (** UFKL -> UKL(ref || student). *)
  Theorem S16_ufkl :
    let D := sum l (fun t => dp t * (1 - ref t / p t s)) in
    is_derive (expected_surrogate ufkl) s D /\ is_derive (fun r => UKL ref (fun t => p t r)) s D.
  Proof.
    intros D. split; [surrogate ufkl_derive|].
    unfold UKL. apply (is_derive_sum l (fun t r => kl_term (ref t) (p t r) - ref t + p t r)).
    intros t Ht. evar_last.
    - apply @is_derive_plus; [|now apply Hd].
      apply @is_derive_minus; [now apply forward_term_derive|apply @is_derive_const].
    - unfold minus, plus, opp, zero; simpl. ring.
  Qed.

  (** URKL -> UKL(student || ref). *)
  Theorem S16_urkl :
    let D := sum l (fun t => dp t * ln (p t s / ref t)) in
    is_derive (expected_surrogate urkl) s D /\ is_derive (fun r => UKL (fun t => p t r) ref) s D.
  Proof.
    intros D. split; [surrogate urkl_derive|].
    unfold UKL. apply (is_derive_sum l (fun t r => kl_term (p t r) (ref t) - p t r + ref t)).
    intros t Ht. evar_last.
    - apply @is_derive_plus; [|apply @is_derive_const].
      apply @is_derive_minus; [now apply reverse_term_derive|now apply Hd].
    - unfold minus, plus, opp, zero; simpl. ring.
  Qed.

  (** FKL -> KL(ref || student). *)
  Theorem S16_fkl :
    let D := sum l (fun t => - (dp t * (ref t / p t s))) in
    is_derive (expected_surrogate fkl) s D /\ is_derive (fun r => KL l ref (fun t => p t r)) s D.
  Proof.
    intros D. split; [surrogate fkl_derive|].
    unfold KL. apply (is_derive_sum l (fun t r => kl_term (ref t) (p t r))).
    intros t Ht. now apply forward_term_derive.
  Qed.

  (** RKL -> KL(student || ref). *)
  Theorem S16_rkl :
    let D := sum l (fun t => dp t * (ln (p t s / ref t) + 1)) in
    is_derive (expected_surrogate rkl) s D /\ is_derive (fun r => KL l (fun t => p t r) ref) s D.
  Proof.
    intros D. split; [surrogate rkl_derive|].
    unfold KL. apply (is_derive_sum l (fun t r => kl_term (p t r) (ref t))).
    intros t Ht. now apply reverse_term_derive.
  Qed.

  (** For normalised policies (the derivative has sum zero) each pair has one gradient: the two
      members of a pair differ in variance only. *)
  Theorem S16_normalized_pairs :
    sum l dp = 0 ->
    sum l (fun t => dp t * (1 - ref t / p t s)) = sum l (fun t => - (dp t * (ref t / p t s))) /\
    sum l (fun t => dp t * (ln (p t s / ref t) + 1)) = sum l (fun t => dp t * ln (p t s / ref t)).
  Proof.
    intros H0. split.
    - rewrite (sum_ext l _ (fun t => dp t + - (dp t * (ref t / p t s)))) by (intros; ring).
      rewrite sum_plus, H0. ring.
    - rewrite (sum_ext l _ (fun t => dp t * ln (p t s / ref t) + dp t)) by (intros; ring).
      rewrite sum_plus, H0. ring.
  Qed.
End Reference.

(** UFKL is never below 1, and equals 1 only at w = 1: no token can be paid for drifting. *)
Theorem S16_ufkl_minimum w : 0 < w -> 1 <= ufkl w /\ (ufkl w = 1 -> w = 1).
Proof.
  intros H. unfold ufkl. pose proof (Rinv_0_lt_compat w H) as Hi.
  assert (E : ln w = - ln (/ w)) by (rewrite ln_Rinv by assumption; ring).
  split.
  - pose proof (ln_le_sub1 (/ w) Hi). lra.
  - intros E1. assert (E2 : ln (/ w) = / w - 1) by lra.
    apply ln_eq_sub1 in E2; [|assumption]. rewrite <- (Rinv_inv w), E2. apply Rinv_1.
Qed.

(** What reference_kl reports, ufkl - 1, has the reverse KL as its mean under the policy. *)
Theorem S16_value_unbiased {T} (l : list T) (p ref : T -> R) :
  dist l p -> dist l ref -> (forall t, In t l -> 0 < p t) -> (forall t, In t l -> 0 < ref t) ->
  expect l p (fun t => ufkl (p t / ref t) - 1) = KL l p ref.
Proof.
  intros [_ Sp] [_ Sr] Hp Hr. unfold expect, KL, ufkl.
  rewrite (sum_ext l _ (fun t => ref t + kl_term (p t) (ref t) - p t)).
  - rewrite sum_minus, sum_plus, Sp, Sr. ring.
  - intros t Ht. specialize (Hp t Ht). specialize (Hr t Ht). unfold kl_term. field. lra.
Qed.

(** ** The gate m = 1[A > 0] *)
Definition gate (A : R) : R := if Rlt_dec 0 A then 1 else 0.

(** It is closed on a group without reward variance: on a cliff SDPG distils nothing. *)
Theorem S16_gate_closed r eps x :
  (forall a b, In a r -> In b r -> a = b) -> In x r ->
  gate (advantage_population eps r x) = 0 /\ gate (advantage_sample eps r x) = 0.
Proof.
  intros H Hx. destruct (S5_zero_advantage r eps H x Hx) as [-> ->].
  unfold gate. destruct (Rlt_dec 0 0); [lra|auto].
Qed.

(** On a mixed binary group it opens for exactly the correct completions. *)
Theorem S16_gate_opens r eps :
  binary r -> 0 < total r < size r -> 0 <= eps ->
  gate (advantage_population eps r 1) = 1 /\ gate (advantage_population eps r 0) = 0.
Proof.
  intros Hb [Hc Hf] He. assert (Hne : r <> []) by (intros ->; unfold total in Hc; simpl in Hc; lra).
  pose proof (size_pos r Hne) as HG. rewrite !S5_advantage_eps by assumption.
  assert (Hs : 0 < sqrt (total r * (size r - total r)) / size r).
  { apply Rdiv_lt_0_compat; [|assumption]. apply sqrt_lt_R0. apply Rmult_lt_0_compat; lra. }
  set (d := sqrt (total r * (size r - total r)) / size r + eps). assert (Hd : 0 < d) by (unfold d; lra).
  assert (Hm : 0 < total r / size r < 1).
  { split; [apply Rdiv_lt_0_compat; lra|]. apply (Rmult_lt_reg_r (size r)); [assumption|].
    replace (total r / size r * size r) with (total r) by (field; lra). lra. }
  unfold gate. split.
  - destruct (Rlt_dec 0 ((1 - total r / size r) / d)) as [|N]; [reflexivity|].
    exfalso. apply N. apply Rdiv_lt_0_compat; lra.
  - destruct (Rlt_dec 0 ((0 - total r / size r) / d)) as [Y|]; [exfalso|reflexivity].
    assert (0 < (total r / size r) / d) by (apply Rdiv_lt_0_compat; lra).
    replace ((0 - total r / size r) / d) with (- (total r / size r / d)) in Y by (field; lra). lra.
Qed.
