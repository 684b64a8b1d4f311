(** * S4: KL between softmaxes under a logit perturbation (Hoeffding). *)
From Coq Require Import Reals List Lra.
From Coquelicot Require Import Coquelicot.
From HDPO Require Import FinSum.
Import ListNotations.
Open Scope R_scope.

(** ** The one-dimensional cumulant bound *)
Section Scalar.
  Variable th : R.
  Hypothesis Hth : 0 <= th <= 1.

  (* D h = 1 - th + th e^h,  u h = th e^h / D h, *)
  Let D (h : R) := 1 - th + th * exp h.
  Lemma D_pos h : 0 < D h.
  Proof.
    unfold D. pose proof (exp_pos h).
    destruct (Req_dec th 0) as [->|]; [lra|].
    assert (0 < th * exp h) by (apply Rmult_lt_0_compat; lra). lra.
  Qed.
  Let u (h : R) := th * exp h / D h.
  (* G h = th h + h^2/8 - ln (D h) *)
  Let G (h : R) := th * h + h ^ 2 / 8 - ln (D h).
  Let G1 (h : R) := th + h / 4 - u h.

  Lemma G_derive h : is_derive G h (G1 h).
  Proof.
    unfold G, G1, u, D. pose proof (D_pos h) as HD. unfold D in HD.
    auto_derive; [lra|]. field. lra.
  Qed.

  Lemma G1_derive h : is_derive G1 h (/ 4 - u h * (1 - u h)).
  Proof.
    unfold G1, u, D. pose proof (D_pos h) as HD. unfold D in HD.
    auto_derive; [lra|]. field. lra.
  Qed.

  Lemma G1_mono_ge h : 0 <= h -> 0 <= G1 h.
  Proof.
    intros Hh.
    assert (E0 : G1 0 = 0) by (unfold G1, u, D; rewrite exp_0; field; lra).
    destruct (Req_dec h 0) as [->|N]; [lra|].
    destruct (MVT_gen G1 0 h (fun x => / 4 - u x * (1 - u x))) as (c & Hc & E).
    - intros x _. apply G1_derive.
    - intros x _. apply continuity_pt_filterlim, (ex_derive_continuous G1).
      eexists; apply G1_derive.
    - rewrite E0, Rminus_0_r, Rminus_0_r in E. rewrite E.
      apply Rmult_le_pos; [|assumption].
      assert (0 <= (u c - / 2) ^ 2) by apply pow2_ge_0. lra.
  Qed.

  Lemma G1_mono_le h : h <= 0 -> G1 h <= 0.
  Proof.
    intros Hh.
    assert (E0 : G1 0 = 0) by (unfold G1, u, D; rewrite exp_0; field; lra).
    destruct (Req_dec h 0) as [->|N]; [lra|].
    destruct (MVT_gen G1 h 0 (fun x => / 4 - u x * (1 - u x))) as (c & Hc & E).
    - intros x _. apply G1_derive.
    - intros x _. apply continuity_pt_filterlim, (ex_derive_continuous G1).
      eexists; apply G1_derive.
    - rewrite E0 in E.
      assert (0 <= (u c - / 2) ^ 2) by apply pow2_ge_0.
      assert (0 <= (/ 4 - u c * (1 - u c)) * (0 - h)) by (apply Rmult_le_pos; lra). lra.
  Qed.

  Lemma hoeffding_scalar h : ln (1 - th + th * exp h) <= th * h + h ^ 2 / 8.
  Proof.
    change (ln (D h) <= th * h + h ^ 2 / 8).
    enough (0 <= G h) by (unfold G in *; lra).
    assert (E0 : G 0 = 0).
    { unfold G, D. rewrite exp_0. replace (1 - th + th * 1) with 1 by ring. rewrite ln_1. lra. }
    destruct (Rle_lt_dec 0 h) as [Hh|Hh].
    - destruct (Req_dec h 0) as [->|N]; [lra|].
      destruct (MVT_gen G 0 h G1) as (c & Hc & E).
      + intros x _. apply G_derive.
      + intros x _. apply continuity_pt_filterlim, (ex_derive_continuous G). eexists; apply G_derive.
      + rewrite E0 in E. rewrite Rmin_left, Rmax_right in Hc by lra.
        assert (0 <= G1 c * (h - 0)) by (apply Rmult_le_pos; [apply G1_mono_ge|]; lra). lra.
    - destruct (MVT_gen G h 0 G1) as (c & Hc & E).
      + intros x _. apply G_derive.
      + intros x _. apply continuity_pt_filterlim, (ex_derive_continuous G). eexists; apply G_derive.
      + rewrite E0 in E. rewrite Rmin_left, Rmax_right in Hc by lra.
        assert (H : 0 <= (- G1 c) * (0 - h)).
        { apply Rmult_le_pos; [|lra]. pose proof (G1_mono_le c). lra. }
        lra.
  Qed.
End Scalar.

(** chord above the convex exponential on [a, b] *)
Lemma exp_chord a b x : a <= x <= b -> a < b ->
  exp x <= (b - x) / (b - a) * exp a + (x - a) / (b - a) * exp b.
Proof.
  intros Hx Hab.
  (* tangent at x *)
  assert (Ta : exp x * (1 + (a - x)) <= exp a).
  { replace (exp a) with (exp x * exp (a - x)) by (rewrite <- exp_plus; f_equal; ring).
    apply Rmult_le_compat_l; [left; apply exp_pos|apply exp_ineq1_le]. }
  assert (Tb : exp x * (1 + (b - x)) <= exp b).
  { replace (exp b) with (exp x * exp (b - x)) by (rewrite <- exp_plus; f_equal; ring).
    apply Rmult_le_compat_l; [left; apply exp_pos|apply exp_ineq1_le]. }
  apply (Rmult_le_compat_l ((b - x) / (b - a))) in Ta;
    [|apply Rmult_le_pos; [lra|left; apply Rinv_0_lt_compat; lra]].
  apply (Rmult_le_compat_l ((x - a) / (b - a))) in Tb;
    [|apply Rmult_le_pos; [lra|left; apply Rinv_0_lt_compat; lra]].
  eapply Rle_trans; [|apply Rplus_le_compat; [exact Ta|exact Tb]].
  right. field. lra.
Qed.

Section Softmax.
  Context {T : Type}.
  Variable l : list T.
  Hypothesis Hl : l <> [].

  Definition sumexp (z : T -> R) : R := sum l (fun t => exp (z t)).
  Definition softmax (z : T -> R) (t : T) : R := exp (z t) / sumexp z.

  Lemma sumexp_pos z : 0 < sumexp z.
  Proof.
    apply sum_pos; [intros; left; apply exp_pos|].
    destruct l as [|a l']; [tauto|]. exists a; split; [now left|apply exp_pos].
  Qed.

  Lemma softmax_pos z t : 0 < softmax z t.
  Proof. apply Rdiv_lt_0_compat; [apply exp_pos|apply sumexp_pos]. Qed.

  Lemma softmax_dist z : dist l (softmax z).
  Proof.
    split; [intros; left; apply softmax_pos|].
    unfold softmax. rewrite sum_div. fold (sumexp z). pose proof (sumexp_pos z). field; lra.
  Qed.

  (** Hoeffding's lemma on a finite space. *)
  Theorem S4_hoeffding p f a b :
    dist l p -> (forall t, In t l -> a <= f t <= b) ->
    ln (expect l p (fun t => exp (f t))) <= expect l p f + (b - a) ^ 2 / 8.
  Proof.
    intros [Hp Sp] Hf.
    assert (Hab : a <= b).
    { destruct l as [|t l']; [tauto|]. specialize (Hf t (or_introl eq_refl)). lra. }
    set (m := expect l p f).
    assert (Hm : a <= m <= b).
    { unfold m, expect. split.
      - replace a with (sum l (fun t => p t * a)) by (rewrite sum_scal_r, Sp; ring).
        apply sum_le; intros t Ht. apply Rmult_le_compat_l; [auto|apply Hf, Ht].
      - replace b with (sum l (fun t => p t * b)) by (rewrite sum_scal_r, Sp; ring).
        apply sum_le; intros t Ht. apply Rmult_le_compat_l; [auto|apply Hf, Ht]. }
    assert (Hpos : 0 < expect l p (fun t => exp (f t))).
    { apply Rlt_le_trans with (exp a); [apply exp_pos|].
      replace (exp a) with (sum l (fun t => p t * exp a)) by (rewrite sum_scal_r, Sp; ring).
      apply sum_le; intros t Ht. apply Rmult_le_compat_l; [auto|].
      destruct (Hf t Ht) as [[H|H] _]; [left; now apply exp_increasing|rewrite H; lra]. }
    destruct (Req_dec a b) as [E|N].
    - (* degenerate: f constant *)
      subst b. replace ((a - a) ^ 2 / 8) with 0 by field.
      assert (Ec : expect l p (fun t => exp (f t)) = exp a).
      { unfold expect. rewrite (sum_ext l _ (fun t => p t * exp a)).
        - rewrite sum_scal_r, Sp; ring.
        - intros t Ht. replace (f t) with a by (specialize (Hf t Ht); lra). reflexivity. }
      rewrite Ec, ln_exp. lra.
    - assert (Hlt : a < b) by lra.
      set (th := (m - a) / (b - a)).
      assert (Hth : 0 <= th <= 1).
      { unfold th. split.
        - apply Rmult_le_pos; [lra|left; apply Rinv_0_lt_compat; lra].
        - apply (Rmult_le_reg_r (b - a)); [lra|]. field_simplify; lra. }
      assert (Hch : expect l p (fun t => exp (f t)) <= exp a * (1 - th + th * exp (b - a))).
      { apply Rle_trans with
          (sum l (fun t => p t * (b * exp a - a * exp b) * / (b - a) + p t * f t * ((exp b - exp a) / (b - a)))).
        - apply sum_le; intros t Ht.
          pose proof (exp_chord a b (f t) (Hf t Ht) Hlt) as H.
          apply (Rmult_le_compat_l (p t)) in H; [|auto].
          eapply Rle_trans; [exact H|]. right. field. lra.
        - rewrite sum_plus, !sum_scal_r, Sp. fold (expect l p f). fold m.
          replace (exp a * (1 - th + th * exp (b - a))) with (exp a * (1 - th) + th * (exp a * exp (b - a))) by ring.
          rewrite <- exp_plus. replace (a + (b - a)) with b by ring.
          right. unfold th. field. lra. }
      apply Rle_trans with (ln (exp a * (1 - th + th * exp (b - a)))).
      { destruct Hch as [H|H]; [left; now apply ln_increasing|rewrite H; lra]. }
      rewrite ln_mult; [|apply exp_pos|exact (D_pos th Hth (b - a))].
      rewrite ln_exp. pose proof (hoeffding_scalar th Hth (b - a)) as H.
      apply Rle_trans with (a + (th * (b - a) + (b - a) ^ 2 / 8)); [lra|].
      right. unfold th. field. lra.
  Qed.

  (** KL(softmax z || softmax (z + d)) = ln E e^d - E d. *)
  Theorem S4_identity z d :
    KL l (softmax z) (softmax (fun t => z t + d t))
    = ln (expect l (softmax z) (fun t => exp (d t))) - expect l (softmax z) d.
  Proof.
    pose proof (sumexp_pos z) as HZ.
    pose proof (sumexp_pos (fun t => z t + d t)) as HZ'.
    destruct (softmax_dist z) as [_ Sp].
    assert (EZ : expect l (softmax z) (fun t => exp (d t)) = sumexp (fun t => z t + d t) / sumexp z).
    { unfold expect, softmax. unfold sumexp at 2. rewrite <- sum_div. apply sum_ext; intros t Ht.
      rewrite exp_plus. field. lra. }
    rewrite EZ.
    rewrite <- (Rmult_1_l (ln _)), <- Sp, <- sum_scal_r. unfold expect. rewrite <- sum_minus.
    unfold KL. apply sum_ext; intros t Ht. unfold kl_term.
    replace (softmax z t / softmax (fun t => z t + d t) t)
      with (sumexp (fun t => z t + d t) / sumexp z * exp (- d t)).
    - rewrite ln_mult; [|apply Rdiv_lt_0_compat; assumption|apply exp_pos]. rewrite ln_exp. ring.
    - unfold softmax. rewrite exp_plus, exp_Ropp.
      pose proof (exp_pos (z t)). pose proof (exp_pos (d t)). field. lra.
  Qed.

  (** S4 (sharp form): osc(d) = b - a. *)
  Theorem S4_osc z d a b :
    (forall t, In t l -> a <= d t <= b) ->
    KL l (softmax z) (softmax (fun t => z t + d t)) <= (b - a) ^ 2 / 8.
  Proof.
    intros Hd. rewrite S4_identity.
    pose proof (S4_hoeffding (softmax z) d a b (softmax_dist z) Hd). lra.
  Qed.

  (** S4 (the lemma of the paper): ||d||_inf <= D. *)
  Theorem S4_sup z d D :
    (forall t, In t l -> Rabs (d t) <= D) ->
    KL l (softmax z) (softmax (fun t => z t + d t)) <= D ^ 2 / 2.
  Proof.
    intros Hd. replace (D ^ 2 / 2) with ((D - (- D)) ^ 2 / 8) by field.
    apply S4_osc. intros t Ht. specialize (Hd t Ht). apply Rabs_le_between in Hd. lra.
  Qed.

  Lemma KL_ext_r p q q' : (forall t, In t l -> q t = q' t) -> KL l p q = KL l p q'.
  Proof. intros H. apply sum_ext; intros t Ht. now rewrite (H t Ht). Qed.

  Lemma softmax_ext z z' : (forall t, z t = z' t) -> forall t, softmax z t = softmax z' t.
  Proof.
    intros H t. unfold softmax, sumexp. rewrite (H t). f_equal. apply sum_ext; intros; now rewrite H.
  Qed.

  (** S4 for two logit vectors zT (teacher) and zS (student). *)
  Corollary S4_two zT zS D :
    (forall t, In t l -> Rabs (zT t - zS t) <= D) ->
    KL l (softmax zT) (softmax zS) <= D ^ 2 / 2.
  Proof.
    intros H.
    rewrite (KL_ext_r _ (softmax zS) (softmax (fun t => zT t + (zS t - zT t)))).
    - apply S4_sup. intros t Ht. rewrite Rabs_minus_sym. now apply H.
    - intros t Ht. apply softmax_ext. intros; ring.
  Qed.

  (** ** Proposition 1 of the paper.  Contexts [C], a distance, logits f. *)
  Section Prop1.
    Context {C : Type}.
    Variable dst : C -> C -> R.
    Variables (f_th f_ph : C -> T -> R) (L m : R) (cT cS : C).
    Hypothesis Lip : forall t, In t l -> Rabs (f_th cT t - f_th cS t) <= L * dst cT cS.
    Hypothesis Mis : forall t, In t l -> Rabs (f_ph cT t - f_th cT t) <= m.

    Theorem S4_same_model :
      KL l (softmax (f_th cT)) (softmax (f_th cS)) <= L ^ 2 * (dst cT cS) ^ 2 / 2.
    Proof.
      replace (L ^ 2 * dst cT cS ^ 2 / 2) with ((L * dst cT cS) ^ 2 / 2) by field.
      now apply S4_two.
    Qed.

    Theorem S4_cross_model :
      KL l (softmax (f_ph cT)) (softmax (f_th cS)) <= (L * dst cT cS + m) ^ 2 / 2.
    Proof.
      apply S4_two. intros t Ht. specialize (Lip t Ht). specialize (Mis t Ht).
      replace (f_ph cT t - f_th cS t)
        with ((f_ph cT t - f_th cT t) + (f_th cT t - f_th cS t)) by ring.
      eapply Rle_trans; [apply Rabs_triang|]. lra.
    Qed.
  End Prop1.

  (** Shift invariance: a constant mismatch moves no probability. *)
  Theorem S4_shift z c t : softmax (fun u => z u + c) t = softmax z t.
  Proof.
    unfold softmax, sumexp.
    rewrite (sum_ext l (fun u => exp (z u + c)) (fun u => exp (z u) * exp c))
      by (intros; apply exp_plus).
    rewrite sum_scal_r, exp_plus. fold (sumexp z). pose proof (sumexp_pos z).
    pose proof (exp_pos c). field. lra.
  Qed.
End Softmax.
