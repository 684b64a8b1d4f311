(** * S20: how far two laws must be apart to differ in an average (Pinsker).

    The report reads these bounds backwards: a teacher whose success probability exceeds the
    student's by d is at least 2 d^2 nats away from it. *)
From Coq Require Import Reals List Lra.
From HDPO Require Import FinSum Gibbs Softmax.
Import ListNotations.
Open Scope R_scope.

Section Pinsker.
  Context {T : Type}.
  Variable l : list T.
  Variables P Q : T -> R.
  Hypothesis HP : dist l P.
  Hypothesis HQ : dist l Q.
  Hypothesis Hac : abs_cont l P Q.

  (** Donsker and Varadhan's inequality: S1 at beta = 1, read as a bound on KL. *)
  Theorem S20_variational (f : T -> R) :
    expect l P f - ln (expect l Q (fun t => exp (f t))) <= KL l P Q.
  Proof.
    pose proof (S1_upper_bound l Q HQ f 1 P ltac:(lra) HP Hac) as H.
    unfold J in H.
    replace (normalizer l Q f 1) with (expect l Q (fun t => exp (f t))) in H; [lra|].
    unfold normalizer, expect. apply sum_ext; intros t _. do 2 f_equal. field.
  Qed.

  Lemma expect_const (p : T -> R) c : dist l p -> expect l p (fun _ => c) = c.
  Proof. intros [_ S]. unfold expect. rewrite sum_scal_r, S. ring. Qed.

  Lemma variational_quadratic (f : T -> R) a b s :
    (forall t, In t l -> a <= f t <= b) ->
    s * (expect l P f - expect l Q f) - s ^ 2 * (b - a) ^ 2 / 8 <= KL l P Q.
  Proof.
    intros Hf. pose proof (dist_nonempty l P HP) as Hl.
    pose proof (S20_variational (fun t => s * f t)) as V.
    assert (Es : forall p, expect l p (fun t => s * f t) = s * expect l p f).
    { intros p. unfold expect. rewrite <- sum_scal. apply sum_ext; intros; ring. }
    rewrite Es in V.
    assert (H : ln (expect l Q (fun t => exp (s * f t)))
                <= s * expect l Q f + s ^ 2 * (b - a) ^ 2 / 8).
    { destruct (Rle_lt_dec 0 s) as [Hs|Hs].
      - pose proof (S4_hoeffding l Hl Q (fun t => s * f t) (s * a) (s * b) HQ) as H.
        rewrite Es in H.
        replace (s ^ 2 * (b - a) ^ 2 / 8) with ((s * b - s * a) ^ 2 / 8) by field.
        apply H. intros t Ht. specialize (Hf t Ht). split; apply Rmult_le_compat_l; lra.
      - pose proof (S4_hoeffding l Hl Q (fun t => s * f t) (s * b) (s * a) HQ) as H.
        rewrite Es in H.
        replace (s ^ 2 * (b - a) ^ 2 / 8) with ((s * a - s * b) ^ 2 / 8) by field.
        apply H. intros t Ht. specialize (Hf t Ht). split; apply Rmult_le_compat_neg_l; lra. }
    lra.
  Qed.

  (** Pinsker's inequality for an average of any function with values in [a, b]. *)
  Theorem S20_pinsker (f : T -> R) a b :
    (forall t, In t l -> a <= f t <= b) ->
    2 * (expect l P f - expect l Q f) ^ 2 <= (b - a) ^ 2 * KL l P Q.
  Proof.
    intros Hf. set (d := expect l P f - expect l Q f).
    assert (Hab : a <= b).
    { destruct l as [|t l']; [destruct (dist_nonempty [] P HP); reflexivity|].
      specialize (Hf t (or_introl eq_refl)). lra. }
    destruct (Req_dec a b) as [E|N].
    - subst b.
      assert (Ed : d = 0).
      { unfold d. assert (C : forall p, dist l p -> expect l p f = a).
        { intros p Hp. rewrite <- (expect_const p a Hp). apply sum_ext; intros t Ht.
          specialize (Hf t Ht). replace (f t) with a by lra. reflexivity. }
        rewrite (C P HP), (C Q HQ). ring. }
      rewrite Ed. replace (a - a) with 0 by ring. lra.
    - pose proof (variational_quadratic f a b (4 * d / (b - a) ^ 2) Hf) as H. fold d in H.
      assert (Hw : 0 < (b - a) ^ 2) by (apply pow_lt; lra).
      set (w := (b - a) ^ 2) in *.
      replace (4 * d / w * d - (4 * d / w) ^ 2 * w / 8) with (2 * d ^ 2 / w) in H by (field; lra).
      apply (Rmult_le_compat_l w) in H; [|lra].
      replace (w * (2 * d ^ 2 / w)) with (2 * d ^ 2) in H by (field; lra). exact H.
  Qed.

  (** A gap in success probability costs at least 2 gap^2 nats. *)
  Corollary S20_success_gap (A : T -> bool) :
    2 * (success l P A - success l Q A) ^ 2 <= KL l P Q.
  Proof.
    pose proof (S20_pinsker (reward A) 0 1) as H. unfold success.
    replace ((1 - 0) ^ 2) with 1 in H by ring. rewrite Rmult_1_l in H. apply H.
    intros t _. unfold reward. destruct (A t); lra.
  Qed.

  (** Pinsker's inequality for the total variation. *)
  Theorem S20_pinsker_TV : 2 * TV l P Q ^ 2 <= KL l P Q.
  Proof.
    pose (A := fun t => if Rlt_dec (Q t) (P t) then true else false).
    replace (TV l P Q) with (success l P A - success l Q A); [apply S20_success_gap|].
    destruct HP as [_ SP]. destruct HQ as [_ SQ].
    unfold success, expect, TV. rewrite <- sum_minus.
    rewrite (sum_ext l (fun t => Rabs (P t - Q t))
      (fun t => 2 * (P t * reward A t - Q t * reward A t) - (P t - Q t))).
    - rewrite (sum_minus l (fun t => 2 * (P t * reward A t - Q t * reward A t))).
      rewrite sum_scal, (sum_minus l P Q), SP, SQ. lra.
    - intros t _. unfold reward, A. destruct (Rlt_dec (Q t) (P t)) as [H|H].
      + rewrite Rabs_right; lra.
      + rewrite Rabs_left1; lra.
  Qed.
End Pinsker.
