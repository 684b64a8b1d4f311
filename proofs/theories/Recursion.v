(** * S17: repeated KL-regularised steps.

    Each step moves to the Gibbs policy of the policy before it.  k steps at beta are one step at
    beta / k; the odds of success grow by exp(1/beta) a step; a true cliff never moves. *)
From Coq Require Import Reals List Lra Lia.
From Coquelicot Require Import Coquelicot.
From HDPO Require Import FinSum Gibbs JSD.
Import ListNotations.
Open Scope R_scope.

Section Recursion.
  Context {T : Type}.
  Variable l : list T.

  (** Two steps are one step whose inverse temperature is the sum. *)
  Theorem S17_compose (mu f : T -> R) b1 b2 t :
    dist l mu -> 0 < b1 -> 0 < b2 ->
    gibbs_policy l (gibbs_policy l mu f b1) f b2 t = gibbs_policy l mu f (/ (/ b1 + / b2)) t.
  Proof.
    intros Hmu H1 H2. pose proof (normalizer_pos l mu Hmu f b1) as Z1.
    assert (Hb : 0 < / b1 + / b2).
    { pose proof (Rinv_0_lt_compat b1 H1). pose proof (Rinv_0_lt_compat b2 H2). lra. }
    pose proof (normalizer_pos l mu Hmu f (/ (/ b1 + / b2))) as Z12.
    assert (E : forall u, exp (f u / b1) * exp (f u / b2) = exp (f u / / (/ b1 + / b2))).
    { intros u. rewrite <- exp_plus. f_equal. field. repeat split; lra. }
    assert (EZ : normalizer l (gibbs_policy l mu f b1) f b2
                 = normalizer l mu f (/ (/ b1 + / b2)) / normalizer l mu f b1).
    { unfold normalizer at 1 2. rewrite <- sum_div. apply sum_ext; intros u _.
      unfold gibbs_policy. rewrite <- E. field. lra. }
    unfold gibbs_policy at 1. rewrite EZ. unfold gibbs_policy. rewrite <- E. field. lra.
  Qed.

  Fixpoint repeated (mu f : T -> R) (beta : R) (k : nat) : T -> R :=
    match k with
    | O => mu
    | S k' => gibbs_policy l (repeated mu f beta k') f beta
    end.

  Lemma repeated_dist mu f beta k : dist l mu -> dist l (repeated mu f beta k).
  Proof. intros H. induction k as [|k IH]; simpl; [assumption|now apply gibbs_policy_dist]. Qed.

  Theorem S17_repeated mu f beta k t :
    dist l mu -> 0 < beta ->
    repeated mu f beta (S k) t = gibbs_policy l mu f (beta / INR (S k)) t.
  Proof.
    intros Hmu Hb. revert t. induction k as [|k IH]; intros t.
    - simpl. replace (beta / 1) with beta by field. reflexivity.
    - assert (HS : 0 < INR (S k)) by (apply lt_0_INR; lia).
      change (repeated mu f beta (S (S k)) t) with (gibbs_policy l (repeated mu f beta (S k)) f beta t).
      transitivity (gibbs_policy l (gibbs_policy l mu f (beta / INR (S k))) f beta t).
      + unfold gibbs_policy at 1 2. rewrite IH. f_equal.
        apply sum_ext; intros u _. now rewrite IH.
      + rewrite S17_compose; [|assumption|now apply Rdiv_lt_0_compat|assumption].
        f_equal. rewrite (S_INR (S k)). field. split; lra.
  Qed.

  Variable mu : T -> R.
  Hypothesis Hmu : dist l mu.
  Variable R1 : T -> bool.
  Let p := success l mu R1.

  (** Success after k steps. *)
  Theorem S17_success beta k :
    0 < beta ->
    success l (repeated mu (reward R1) beta k) R1
    = p * exp (INR k / beta) / (1 - p + p * exp (INR k / beta)).
  Proof.
    intros Hb. destruct k as [|k].
    - simpl. replace (0 / beta) with 0 by (field; lra). rewrite exp_0. fold p. field. lra.
    - assert (HS : 0 < INR (S k)) by (apply lt_0_INR; lia).
      unfold success.
      transitivity (expect l (gibbs_policy l mu (reward R1) (beta / INR (S k))) (reward R1)).
      + apply sum_ext; intros t _. now rewrite S17_repeated.
      + rewrite (S1_success l mu R1), (S1_Z_binary l mu Hmu R1). fold p.
        replace (1 / (beta / INR (S k))) with (INR (S k) / beta) by (field; lra). reflexivity.
  Qed.

  (** The recursion: each step multiplies the odds of success by exp(1/beta). *)
  Theorem S17_odds beta k :
    0 < beta ->
    let s := success l (repeated mu (reward R1) beta k) R1 in
    let s' := success l (repeated mu (reward R1) beta (S k)) R1 in
    s' * (1 - s) = exp (1 / beta) * (s * (1 - s')).
  Proof.
    intros Hb s s'. unfold s'.
    change (repeated mu (reward R1) beta (S k))
      with (gibbs_policy l (repeated mu (reward R1) beta k) (reward R1) beta).
    pose proof (S1_odds l (repeated mu (reward R1) beta k) (repeated_dist mu _ beta k Hmu) R1 beta) as H.
    cbv zeta in H. unfold success in *. fold s in H. rewrite H. ring.
  Qed.

  (** A true cliff stays where it is, after any number of steps at any temperature. *)
  Theorem S17_cliff_never_moves beta k t :
    0 < beta -> p = 0 -> In t l -> repeated mu (reward R1) beta k t = mu t.
  Proof.
    intros Hb Hp Ht. destruct k as [|k]; [reflexivity|].
    rewrite S17_repeated by assumption.
    apply (S2_cliff_fixed_point l mu Hmu R1); auto.
    apply Rdiv_lt_0_compat; [assumption|]. apply lt_0_INR; lia.
  Qed.

  (** How many steps a success probability s takes: beta (logit s - logit p). *)
  Theorem S17_steps_needed beta k s :
    0 < beta -> 0 < p < 1 -> 0 < s < 1 ->
    (s <= success l (repeated mu (reward R1) beta k) R1 <->
     beta * (ln (s / (1 - s)) - ln (p / (1 - p))) <= INR k).
  Proof.
    intros Hb Hp Hs. rewrite S17_success by assumption.
    set (x := INR k / beta). pose proof (exp_pos x) as He.
    assert (D : 0 < 1 - p + p * exp x).
    { assert (0 < p * exp x) by (apply Rmult_lt_0_compat; lra). lra. }
    assert (Hr : 0 < s / (1 - s) / (p / (1 - p))) by (repeat apply Rdiv_lt_0_compat; lra).
    assert (A : s <= p * exp x / (1 - p + p * exp x) <-> s / (1 - s) / (p / (1 - p)) <= exp x).
    { assert (E1 : s * (1 - p + p * exp x) <= p * exp x <-> s * (1 - p) <= p * (1 - s) * exp x)
        by (split; intros; lra).
      assert (E2 : s <= p * exp x / (1 - p + p * exp x) <-> s * (1 - p + p * exp x) <= p * exp x).
      { split; intros H.
        - apply (Rmult_le_compat_r (1 - p + p * exp x)) in H; [|lra].
          replace (p * exp x / (1 - p + p * exp x) * (1 - p + p * exp x)) with (p * exp x) in H
            by (field; lra). exact H.
        - apply (Rmult_le_reg_r (1 - p + p * exp x)); [lra|].
          replace (p * exp x / (1 - p + p * exp x) * (1 - p + p * exp x)) with (p * exp x)
            by (field; lra). exact H. }
      assert (Hps : 0 < p * (1 - s)) by (apply Rmult_lt_0_compat; lra).
      assert (E3 : s / (1 - s) / (p / (1 - p)) <= exp x <-> s * (1 - p) <= p * (1 - s) * exp x).
      { replace (s / (1 - s) / (p / (1 - p))) with (s * (1 - p) / (p * (1 - s))) by (field; lra).
        split; intros H.
        - apply (Rmult_le_compat_l (p * (1 - s))) in H; [|lra].
          replace (p * (1 - s) * (s * (1 - p) / (p * (1 - s)))) with (s * (1 - p)) in H
            by (field; lra). exact H.
        - apply (Rmult_le_reg_l (p * (1 - s))); [lra|].
          replace (p * (1 - s) * (s * (1 - p) / (p * (1 - s)))) with (s * (1 - p))
            by (field; lra). exact H. }
      tauto. }
    rewrite A.
    assert (L : ln (s / (1 - s) / (p / (1 - p))) = ln (s / (1 - s)) - ln (p / (1 - p)))
      by (apply ln_div; apply Rdiv_lt_0_compat; lra).
    rewrite <- L.
    assert (B : s / (1 - s) / (p / (1 - p)) <= exp x <-> ln (s / (1 - s) / (p / (1 - p))) <= x).
    { split; intros H.
      - rewrite <- (ln_exp x). now apply ln_le_mono.
      - rewrite <- (exp_ln (s / (1 - s) / (p / (1 - p)))) by assumption.
        destruct H as [H| ->]; [left; now apply exp_increasing|lra]. }
    rewrite B. unfold x. split; intros H.
    - apply (Rmult_le_compat_l beta) in H; [|lra].
      replace (beta * (INR k / beta)) with (INR k) in H by (field; lra). exact H.
    - apply (Rmult_le_reg_l beta); [assumption|].
      replace (beta * (INR k / beta)) with (INR k) by (field; lra). exact H.
  Qed.
End Recursion.
