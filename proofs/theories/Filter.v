(** * S3 and S7: programs that sample, read as expectation transformers.

    [M A = (A -> R) -> R] maps a payoff to its expectation; [iid], [reject]
    and [filtered_batch] are the sampling PROGRAMS of the toolkit. *)
From Coq Require Import Reals List Lra Lia Arith.
From Coquelicot Require Import Coquelicot.
From HDPO Require Import FinSum Gibbs.
Import ListNotations.
Open Scope R_scope.

Definition M (A : Type) := (A -> R) -> R.
Definition ret {A} (a : A) : M A := fun k => k a.
Definition bind {A B} (m : M A) (f : A -> M B) : M B := fun k => m (fun a => f a k).

(** ** Binomial coefficients by Pascal's rule: choose n k = 0 for k > n. *)
Fixpoint choose (n k : nat) : nat :=
  match n, k with
  | _, O => 1
  | O, S _ => 0
  | S n', S k' => choose n' k' + choose n' (S k')
  end.

Lemma choose_0_r n : choose n 0 = 1%nat.
Proof. now destruct n. Qed.

Lemma choose_gt n : forall k, (n < k)%nat -> choose n k = 0%nat.
Proof.
  induction n as [|n IH]; intros [|k] H; simpl; try lia.
  rewrite !IH by lia. reflexivity.
Qed.

Lemma choose_pos n : forall k, (k <= n)%nat -> (0 < choose n k)%nat.
Proof.
  induction n as [|n IH]; intros [|k] H; simpl; try lia.
  assert (0 < choose n k)%nat by (apply IH; lia). lia.
Qed.

Lemma choose_diag n : choose n n = 1%nat.
Proof. induction n as [|n IH]; simpl; [reflexivity|]. rewrite IH, choose_gt by lia. lia. Qed.

(** (n+1) choose(n,k) = (n+1-k) choose(n+1,k). *)
Lemma choose_absorb n : forall k, (k <= n)%nat ->
  ((S n) * choose n k = (S n - k) * choose (S n) k)%nat.
Proof.
  induction n as [|n IH]; intros [|k] H; try (simpl; lia).
  destruct (Nat.eq_dec k n) as [->|Hk].
  - rewrite choose_diag. change (choose (S (S n)) (S n)) with (choose (S n) n + choose (S n) (S n))%nat.
    rewrite choose_diag. pose proof (IH n ltac:(lia)) as E. rewrite choose_diag in E. lia.
  - pose proof (IH k ltac:(lia)) as E1. pose proof (IH (S k) ltac:(lia)) as E2.
    change (choose (S (S n)) (S k)) with (choose (S n) k + choose (S n) (S k))%nat.
    change (choose (S n) (S k)) with (choose n k + choose n (S k))%nat in E2 |- *.
    replace (S (S n) - S k)%nat with (S n - k)%nat by lia.
    assert (Ha : (S n - k = S (S n - S k))%nat) by lia.
    rewrite Ha in E1 |- *. nia.
Qed.

(** Binomial weights choose(n,m) p^m (1-p)^(n-m). *)
Definition binomial_weight (p : R) (n m : nat) : R := INR (choose n m) * p ^ m * (1 - p) ^ (n - m).

Lemma binomial_weight_S p n m : binomial_weight p (S n) (S m) = p * binomial_weight p n m + (1 - p) * binomial_weight p n (S m).
Proof.
  unfold binomial_weight. change (choose (S n) (S m)) with (choose n m + choose n (S m))%nat.
  rewrite plus_INR. change (S n - S m)%nat with (n - m)%nat.
  destruct (le_lt_dec (S m) n) as [H|H].
  - replace (n - m)%nat with (S (n - S m)) by lia. simpl. ring.
  - rewrite (choose_gt n (S m)) by lia. simpl. ring.
Qed.

Lemma binomial_weight_0 p n : binomial_weight p (S n) 0 = (1 - p) * binomial_weight p n 0.
Proof. unfold binomial_weight. rewrite !choose_0_r, !Nat.sub_0_r. simpl. ring. Qed.

Section Sampling.
  Context {T : Type}.
  Variable l : list T.

  Definition draw (q : T -> R) : M T := fun k => expect l q k.

  (** n independent draws. *)
  Fixpoint iid (q : T -> R) (n : nat) : M (list T) :=
    match n with
    | O => ret []
    | S n' => bind (draw q) (fun t => bind (iid q n') (fun ts => ret (t :: ts)))
    end.

  Variable mu : T -> R.
  Hypothesis Hmu : dist l mu.
  Variable R1 : T -> bool.
  Let p := success l mu R1.
  Let cond := filtered l mu R1.

  (** Draw until accepted, at most [n] times. *)
  Fixpoint reject (n : nat) : M (option T) :=
    match n with
    | O => ret None
    | S n' => bind (draw mu) (fun t => if R1 t then ret (Some t) else reject n')
    end.

  (** The HDPO pool: draw [n] privileged rollouts, keep those with R = 1. *)
  Definition filtered_batch (n : nat) : M (list T) :=
    bind (iid mu n) (fun ts => ret (filter R1 ts)).

  Lemma expect_split (a : T -> R) (b : R) :
    expect l mu (fun t => if R1 t then a t else b)
    = sum l (fun t => mu t * reward R1 t * a t) + (1 - p) * b.
  Proof.
    unfold p. rewrite <- (sum_fail l mu Hmu R1), <- sum_scal_r, <- sum_plus.
    apply sum_ext; intros t Ht. unfold reward. destruct (R1 t); ring.
  Qed.

  Lemma sum_cond (a : T -> R) :
    0 < p -> sum l (fun t => mu t * reward R1 t * a t) = p * expect l cond a.
  Proof.
    intros Hp. unfold expect. rewrite <- sum_scal. apply sum_ext; intros t Ht.
    unfold cond, filtered. fold p. field; lra.
  Qed.

  (** S3 (rejection sampler, exact law with a budget of n draws). *)
  Theorem S3_reject n (k : option T -> R) :
    0 < p ->
    reject n k = (1 - (1 - p) ^ n) * expect l cond (fun t => k (Some t)) + (1 - p) ^ n * k None.
  Proof.
    intros Hp. induction n as [|n IH]; simpl.
    - unfold ret. ring.
    - unfold bind, draw, ret.
      transitivity (expect l mu (fun t => if R1 t then k (Some t) else reject n k)).
      { apply sum_ext; intros t Ht. destruct (R1 t); reflexivity. }
      rewrite expect_split, sum_cond, IH by assumption. ring.
  Qed.

  (** S3 (conditionally on acceptance the law is exactly mu(.|R=1)). *)
  Corollary S3_reject_conditional n (g : T -> R) :
    0 < p -> (0 < n)%nat -> p <= 1 ->
    reject n (fun o => match o with Some t => g t | None => 0 end)
    / reject n (fun o => match o with Some _ => 1 | None => 0 end)
    = expect l cond g.
  Proof.
    intros Hp Hn Hp1. rewrite !S3_reject by assumption. cbv beta iota.
    assert (E1 : expect l cond (fun _ => 1) = 1).
    { destruct (filtered_dist l mu Hmu R1 Hp) as [_ H].
      unfold expect. rewrite sum_scal_r. unfold cond. rewrite H. ring. }
    rewrite E1.
    assert (Hq : (1 - p) ^ n < 1).
    { destruct n as [|n]; [lia|]. destruct (Req_dec p 1) as [->|N].
      - replace (1 - 1) with 0 by ring. rewrite pow_i by lia. lra.
      - apply pow_lt_1_compat; [lra|lia]. }
    change (expect l cond (fun t => g t)) with (expect l cond g). field. lra.
  Qed.

  (** S3 (unbounded budget): P(return t) -> mu(t | R=1). *)
  Theorem S3_reject_limit (g : T -> R) :
    0 < p -> p <= 1 ->
    is_lim_seq (fun n => reject n (fun o => match o with Some t => g t | None => 0 end))
               (expect l cond g).
  Proof.
    intros Hp Hp1.
    apply is_lim_seq_ext with (fun n => expect l cond g - expect l cond g * (1 - p) ^ n).
    { intros n. rewrite S3_reject by assumption. cbv beta iota.
      change (expect l cond (fun t => g t)) with (expect l cond g). ring. }
    assert (Hgeom : is_lim_seq (fun n => (1 - p) ^ n) 0)
      by (apply is_lim_seq_geom; rewrite Rabs_right; lra).
    apply (is_lim_seq_scal_l _ (expect l cond g)) in Hgeom.
    pose proof (is_lim_seq_const (expect l cond g)) as Hc.
    pose proof (is_lim_seq_minus' _ _ _ _ Hc Hgeom) as H. simpl in H.
    replace (expect l cond g - expect l cond g * 0) with (expect l cond g) in H by ring.
    exact H.
  Qed.

  (** linearity / extensionality of [iid] *)
  Lemma iid_ext q n k k' : (forall ts, k ts = k' ts) -> iid q n k = iid q n k'.
  Proof.
    revert k k'. induction n as [|n IH]; intros k k' H; simpl; unfold ret, bind, draw.
    - apply H.
    - apply sum_ext; intros t Ht. f_equal. apply IH; intros; apply H.
  Qed.

  Lemma iid_ext_length q n k k' :
    (forall ts, length ts = n -> k ts = k' ts) -> iid q n k = iid q n k'.
  Proof.
    revert k k'. induction n as [|n IH]; intros k k' H; simpl; unfold ret, bind, draw.
    - now apply H.
    - apply sum_ext; intros t Ht. f_equal. apply IH; intros ts E. apply H. simpl. now rewrite E.
  Qed.

  Lemma iid_plus q n k k' : iid q n (fun ts => k ts + k' ts) = iid q n k + iid q n k'.
  Proof.
    revert k k'. induction n as [|n IH]; intros k k'; simpl; unfold ret, bind, draw; [ring|].
    unfold expect. rewrite <- sum_plus. apply sum_ext; intros t Ht. rewrite IH. ring.
  Qed.

  Lemma iid_scal q n c k : iid q n (fun ts => c * k ts) = c * iid q n k.
  Proof.
    revert k. induction n as [|n IH]; intros k; simpl; unfold ret, bind, draw; [ring|].
    unfold expect. rewrite <- sum_scal. apply sum_ext; intros t Ht. rewrite IH. ring.
  Qed.

  Lemma iid_const q n c : dist l q -> iid q n (fun _ => c) = c.
  Proof.
    intros [_ Hq]. revert c. induction n as [|n IH]; intros c; simpl; unfold ret, bind, draw; [ring|].
    unfold expect. rewrite (sum_ext l _ (fun t => q t * c)).
    - rewrite sum_scal_r, Hq. ring.
    - intros t Ht. now rewrite IH.
  Qed.

  Lemma sum_sum_f_R0 (w : nat -> R) (F : T -> nat -> R) (a : T -> R) n :
    sum l (fun t => a t * sum_f_R0 (fun m => w m * F t m) n)
    = sum_f_R0 (fun m => w m * sum l (fun t => a t * F t m)) n.
  Proof.
    induction n as [|n IH]; simpl.
    - rewrite <- sum_scal. apply sum_ext; intros; ring.
    - rewrite <- IH, <- sum_scal, <- sum_plus. apply sum_ext; intros; ring.
  Qed.

  Lemma sum_f_R0_scal c (a : nat -> R) n : sum_f_R0 (fun i => c * a i) n = c * sum_f_R0 a n.
  Proof. induction n as [|n IH]; simpl; [reflexivity|]. rewrite IH. ring. Qed.

  (** S3 (the pool): the kept rollouts are a Binomial(n,p) number of i.i.d.
      draws from mu(.|R=1). *)
  Theorem S3_filtered_batch n (k : list T -> R) :
    0 < p ->
    filtered_batch n k = sum_f_R0 (fun m => binomial_weight p n m * iid cond m k) n.
  Proof.
    intros Hp. unfold filtered_batch, bind, ret.
    revert k. induction n as [|n IH]; intros k.
    - simpl. unfold binomial_weight, ret; simpl. ring.
    - change (iid mu (S n) (fun ts => k (filter R1 ts)))
        with (expect l mu (fun t => iid mu n (fun ts => k (filter R1 (t :: ts))))).
      transitivity (expect l mu (fun t => if R1 t then iid mu n (fun ts => k (t :: filter R1 ts))
                                          else iid mu n (fun ts => k (filter R1 ts)))).
      { apply sum_ext; intros t Ht. simpl. destruct (R1 t); reflexivity. }
      rewrite expect_split, sum_cond by assumption.
      rewrite (IH k).
      unfold expect.
      rewrite (sum_ext l _ (fun t => cond t * sum_f_R0 (fun m => binomial_weight p n m * iid cond m (fun ts => k (t :: ts))) n)).
      2:{ intros t Ht. now rewrite (IH (fun ts => k (t :: ts))). }
      rewrite sum_sum_f_R0.
      rewrite (sum_eq _ (fun m => binomial_weight p n m * iid cond (S m) k)) by (intros; reflexivity).
      rewrite (decomp_sum (fun m => binomial_weight p (S n) m * iid cond m k)) by lia. simpl pred.
      rewrite (sum_eq (fun i => binomial_weight p (S n) (S i) * iid cond (S i) k)
                 (fun i => p * (binomial_weight p n i * iid cond (S i) k) + (1 - p) * (binomial_weight p n (S i) * iid cond (S i) k)))
        by (intros; rewrite binomial_weight_S; ring).
      rewrite plus_sum, !sum_f_R0_scal, binomial_weight_0.
      assert (E : sum_f_R0 (fun m => binomial_weight p n m * iid cond m k) n
                  = binomial_weight p n 0 * iid cond 0 k + sum_f_R0 (fun i => binomial_weight p n (S i) * iid cond (S i) k) n).
      { clear. 
        assert (H : forall N, sum_f_R0 (fun m => binomial_weight p n m * iid cond m k) (S N)
           = binomial_weight p n 0 * iid cond 0 k + sum_f_R0 (fun i => binomial_weight p n (S i) * iid cond (S i) k) N).
        { intros N. rewrite decomp_sum by lia. reflexivity. }
        rewrite <- H. simpl. unfold binomial_weight at 3. rewrite (choose_gt n (S n)) by lia. simpl. ring. }
      rewrite E. ring.
  Qed.
End Sampling.
